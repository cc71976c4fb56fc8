// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package typedvalue

import (
	"fmt"
	"strings"
	"testing"
)

func benchmarkCheck(b *testing.B, typ, value string) {
	t := mustParse(b, typ)
	b.ReportAllocs()
	b.SetBytes(int64(len(value)))
	for b.Loop() {
		if _, err := Check(t, []byte(value)); err != nil {
			b.Fatal(err)
		}
	}
}

const tenFieldRecord = `{"type":"Record","fields":[
	{"name":"host","typ":{"type":"Str"}},{"name":"port","typ":{"type":"U16"}},{"name":"user","typ":{"type":"Str"}},
	{"name":"password","typ":{"type":"Str"}},{"name":"tls","typ":{"type":"Bool"}},{"name":"timeout","typ":{"type":"F64"}},
	{"name":"retries","typ":{"type":"Option","inner":{"type":"U8"}}},{"name":"pool","typ":{"type":"Option","inner":{"type":"U32"}}},
	{"name":"mode","typ":{"type":"Enum","cases":["ro","rw"]}},{"name":"tags","typ":{"type":"List","inner":{"type":"Str"}}}]}`

func BenchmarkCheckRecordOfTenFields(b *testing.B) {
	benchmarkCheck(b, tenFieldRecord, `{"host":"db.example.com","port":5432,"user":"app","password":"correct horse battery staple",
		"tls":true,"timeout":2.5,"retries":3,"mode":"rw","tags":["a","b"]}`)
}

func BenchmarkCheckListOfThousandItems(b *testing.B) {
	items := make([]string, 1000)
	for i := range items {
		items[i] = fmt.Sprint(i)
	}
	benchmarkCheck(b, `{"type":"List","inner":{"type":"U32"}}`, "["+strings.Join(items, ",")+"]")
}

func BenchmarkParseType(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseType([]byte(tenFieldRecord)); err != nil {
			b.Fatal(err)
		}
	}
}
