// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package golem

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	sigsjson "sigs.k8s.io/json"

	"github.com/latchkey-dev/latchkey/internal/server/directory"
	"github.com/latchkey-dev/latchkey/internal/server/requests"
	"github.com/latchkey-dev/latchkey/internal/server/store"
	"github.com/latchkey-dev/latchkey/internal/typedvalue"
	"github.com/latchkey-dev/latchkey/internal/typedvalue/agentpath"
)

const (
	// maxBodyBytes is the maximum size of a body.
	maxBodyBytes = 4 << 20
	// maxPathBytes bounds the JSON text of a path. It leaves ample room for what the
	// canonical form removes (separators, escapes).
	maxPathBytes = 64 << 10
	// maxBodyDepth admits the deepest possible type, which takes three levels of JSON
	// for each level of its own, and stops pointless nesting.
	maxBodyDepth = 512
)

const expectedRevision = "expected an integer from 0 to 18446744073709551615"

// createBody is the body of a create. The type and the value are not parsed yet.
type createBody struct {
	path        []string // canonical
	secretType  json.RawMessage
	secretValue json.RawMessage // nil if the secret has no value yet
}

// updateBody is the body of an update. The value is not parsed yet.
type updateBody struct {
	revision uint64
	set      json.RawMessage // nil leaves the value as it is
	unset    bool            // removes the value
}

// readBody reads the body of a request and checks its form. The caller's right was
// checked before. The body of a request that is refused is read only if it is short and
// arrives at once, because the contract reports its errors first. A caller without a
// right cannot make the server wait for a body.
func readBody(c *call, refusal error) ([]byte, error) {
	if !isJSON(c.r.Header) {
		requests.Unread(c.w, c.r)
		return nil, errMediaType
	}
	var body []byte
	var err error
	switch {
	case refusal == nil:
		body, err = requests.ReadBody(c.w, c.r, maxBodyBytes)
	case isRefusal(refusal):
		var read bool
		if body, read, err = requests.Glance(c.w, c.r, maxBodyBytes); !read {
			err = refusal
		}
	default:
		requests.Unread(c.w, c.r)
		err = refusal
	}
	if errors.Is(err, requests.ErrBrokeOff) {
		return nil, invalidRequest("body: it broke off")
	}
	return body, err
}

// isRefusal reports whether an error says that the caller lacks the right.
func isRefusal(err error) bool {
	return errors.Is(err, errForbidden) || errors.Is(err, directory.ErrUnknown) || errors.Is(err, store.ErrNotFound)
}

// isJSON reports whether a request declares its body as application/json or
// application/*+json.
func isJSON(header http.Header) bool {
	values := header.Values("Content-Type")
	if len(values) != 1 {
		return false
	}
	mediaType, _, err := mime.ParseMediaType(values[0])
	if err != nil {
		return false
	}
	subtype, ok := strings.CutPrefix(mediaType, "application/")
	return ok && (subtype == "json" || len(subtype) > len("+json") && strings.HasSuffix(subtype, "+json"))
}

// decodeBody reads the members of a body into a struct, and names them if the body is
// no object; an empty body counts as null. Unlike in encoding/json, names are compared
// exactly. Of a repeated member, the last counts, and others are ignored.
func decodeBody(body []byte, into any, names string) error {
	if len(bytes.TrimSpace(body)) > 0 {
		if err := typedvalue.VetJSON("body", body, maxBodyDepth); err != nil {
			return invalidRequest(err.Error())
		}
	}
	if !decodeObject(body, into) {
		return invalidRequest("body: expected an object with the members " + names)
	}
	return nil
}

// decodeObject reads valid JSON into a struct of raw members, and reports whether it is
// an object.
func decodeObject(text []byte, into any) bool {
	return bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) && sigsjson.UnmarshalCaseSensitivePreserveInts(text, into) == nil
}

// absent reports whether a member is missing or null.
func absent(member json.RawMessage) bool {
	return member == nil || string(member) == "null"
}

func decodeCreate(body []byte) (createBody, error) {
	var given struct {
		Path        json.RawMessage `json:"path"`
		SecretType  json.RawMessage `json:"secretType"`
		SecretValue json.RawMessage `json:"secretValue"`
	}
	if err := decodeBody(body, &given, "path, secretType, secretValue"); err != nil {
		return createBody{}, err
	}
	var problems []string
	path, err := decodePath(given.Path)
	if err != nil {
		problems = append(problems, err.Error())
	}
	if absent(given.SecretType) {
		problems = append(problems, "secretType: expected a type: an object with the member type")
	}
	create := createBody{path: path, secretType: given.SecretType}
	if !absent(given.SecretValue) {
		create.secretValue = given.SecretValue
	}
	return create, invalidRequest(problems...)
}

func decodePath(text json.RawMessage) ([]string, error) {
	if len(text) > maxPathBytes {
		return nil, fmt.Errorf("path: longer than %d bytes", maxPathBytes)
	}
	var segments []*string
	if absent(text) || json.Unmarshal(text, &segments) != nil {
		return nil, errors.New("path: expected an array of strings")
	}
	path := make([]string, len(segments))
	for i, segment := range segments {
		if segment == nil {
			return nil, fmt.Errorf("path[%d]: expected a string", i)
		}
		path[i] = *segment
	}
	return agentpath.Canonical(path)
}

func decodeUpdate(body []byte) (updateBody, error) {
	var given struct {
		Revision    json.RawMessage `json:"currentRevision"`
		SecretValue json.RawMessage `json:"secretValue"`
	}
	if err := decodeBody(body, &given, "currentRevision, secretValue"); err != nil {
		return updateBody{}, err
	}
	var (
		problems []string
		update   updateBody
		err      error
	)
	if update.revision, err = parseRevision(string(given.Revision)); err != nil {
		problems = append(problems, "currentRevision: "+expectedRevision)
	}
	if update.set, update.unset, err = decodeOp(given.SecretValue); err != nil {
		problems = append(problems, err.Error())
	}
	return update, invalidRequest(problems...)
}

// decodeOp returns what an update does with the value: sets it, removes it, or neither.
func decodeOp(text json.RawMessage) (set json.RawMessage, unset bool, err error) {
	if absent(text) {
		return nil, false, nil
	}
	var given struct {
		Op    json.RawMessage `json:"op"`
		Value json.RawMessage `json:"value"`
	}
	if !decodeObject(text, &given) {
		return nil, false, errors.New("secretValue: expected null or an object with the member op")
	}
	var op string
	if json.Unmarshal(given.Op, &op) != nil {
		op = ""
	}
	switch {
	case op == "unset":
		return nil, true, nil
	case op == "set" && given.Value != nil:
		return given.Value, false, nil
	case op == "set":
		return nil, false, errors.New("secretValue.value: expected the value to set")
	}
	return nil, false, errors.New(`secretValue.op: expected "set" or "unset"`)
}

// queryRevision reads the revision of a deletion. Two revisions are refused, because it
// would be unclear which one the caller saw.
func queryRevision(rawQuery string) (uint64, error) {
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return 0, invalidRequest("query: expected current_revision=N")
	}
	given := query["current_revision"]
	if len(given) != 1 {
		return 0, invalidRequest("current_revision: expected it once in the query")
	}
	revision, err := parseRevision(given[0])
	if err != nil {
		return 0, invalidRequest("current_revision: " + expectedRevision)
	}
	return revision, nil
}

// parseRevision accepts only digits: no sign, point or exponent.
func parseRevision(text string) (uint64, error) { return strconv.ParseUint(text, 10, 64) }
