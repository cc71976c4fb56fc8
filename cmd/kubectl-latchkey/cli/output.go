// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/printers"
	"sigs.k8s.io/yaml"
)

// Output is the form of a result.
type Output struct {
	// Format is "" for people, or json, yaml, name or wide.
	Format string

	allowed []string
}

// AddFlag adds the flag -o with the formats that a command has.
func (o *Output) AddFlag(set *pflag.FlagSet, allowed ...string) {
	o.allowed = allowed
	set.StringVarP(&o.Format, "output", "o", "", "output format: "+strings.Join(allowed, "|"))
}

// Check refuses a format that the command does not have.
func (o *Output) Check() error {
	if o.Format == "" || slices.Contains(o.allowed, o.Format) {
		return nil
	}
	return Usage("--output has to be one of %s", strings.Join(o.allowed, ", "))
}

// Structured reports whether programs read the result.
func (o *Output) Structured() bool { return o.Format == "json" || o.Format == "yaml" }

// Object prints an object in the form of -o, which is not for people. done is what became
// of it; "" where it was only read.
func (o *Output) Object(w io.Writer, obj runtime.Object, done string) error {
	var printer printers.ResourcePrinter
	switch o.Format {
	case "json":
		printer = &printers.JSONPrinter{}
	case "yaml":
		printer = &printers.YAMLPrinter{}
	case "name":
		printer = &printers.NamePrinter{ShortOutput: true}
	default:
		printer = &printers.NamePrinter{Operation: done}
	}
	return (&printers.OmitManagedFieldsPrinter{Delegate: printer}).PrintObj(obj, w)
}

// Data prints what is no object of the API as JSON or YAML.
func (o *Output) Data(w io.Writer, data any) error {
	if o.Format == "yaml" {
		text, err := yaml.Marshal(data)
		if err == nil {
			_, err = w.Write(text)
		}
		return err
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "    ")
	return encoder.Encode(data)
}

// Counted is a number of things, in words.
func Counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Column is a column of a table; a wide one shows with -o wide alone.
type Column struct {
	Name string
	Wide bool
}

// Table prints rows below columns.
func (o *Output) Table(w io.Writer, columns []Column, rows [][]any) error {
	table := &metav1.Table{}
	for _, c := range columns {
		priority := int32(0)
		if c.Wide {
			priority = 1
		}
		table.ColumnDefinitions = append(table.ColumnDefinitions, metav1.TableColumnDefinition{Name: c.Name, Type: "string", Priority: priority})
	}
	for _, cells := range rows {
		if len(cells) != len(columns) {
			return fmt.Errorf("a row has %d cells, the table %d columns", len(cells), len(columns))
		}
		plain := slices.Clone(cells)
		for i, cell := range plain {
			if text, is := cell.(string); is {
				plain[i] = Plain(text)
			}
		}
		table.Rows = append(table.Rows, metav1.TableRow{Cells: plain})
	}
	return printers.NewTablePrinter(printers.PrintOptions{Wide: o.Format == "wide"}).PrintObj(table, w)
}
