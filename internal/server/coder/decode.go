// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package coder

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/latchkey-dev/latchkey/internal/seal"
	"github.com/latchkey-dev/latchkey/internal/server/requests"
	"github.com/latchkey-dev/latchkey/internal/server/store"
	"github.com/latchkey-dev/latchkey/internal/typedvalue"
)

// The maximum size and depth of a body.
const (
	maxBodyBytes       = 4 << 20
	maxImportBodyBytes = 8 << 20
	maxBodyDepth       = 10000 // as deep as encoding/json reads
)

// createBody is the body of a create. An absent member counts as its zero value, except
// enabled.
type createBody struct {
	Name        string `json:"name"`
	Value       string `json:"value"`
	Description string `json:"description"`
	EnvName     string `json:"env_name"`
	FilePath    string `json:"file_path"`
	Enabled     *bool  `json:"enabled"`
}

func (b createBody) newSecret() store.NewUser {
	return store.NewUser{
		Name:        b.Name,
		Value:       seal.ValueOf(b.Value),
		Description: b.Description,
		EnvName:     b.EnvName,
		FilePath:    b.FilePath,
		Enabled:     b.Enabled == nil || *b.Enabled,
	}
}

// updateBody is the body of an update. Both absent and null mean unchanged.
type updateBody struct {
	Value       *string `json:"value"`
	Description *string `json:"description"`
	EnvName     *string `json:"env_name"`
	FilePath    *string `json:"file_path"`
	Enabled     *bool   `json:"enabled"`
}

func (b updateBody) change() store.UserChange {
	c := store.UserChange{Description: b.Description, EnvName: b.EnvName, FilePath: b.FilePath, Enabled: b.Enabled}
	if b.Value != nil {
		value := seal.ValueOf(*b.Value)
		c.Value = &value
	}
	return c
}

// importBody is the body of an import.
type importBody struct {
	Format  string `json:"format"`
	Content string `json:"content"`
}

// readJSON reads the first JSON value of a body into a struct. It reads the whole body
// first, so that its size is checked before its content. It ignores members that the
// struct lacks, data after the first value, and the content type.
func readJSON(w http.ResponseWriter, r *http.Request, limit int64, into any) error {
	body, err := requests.ReadBody(w, r, limit)
	if errors.Is(err, requests.ErrBrokeOff) {
		return &malformedBodyError{detail: decoderMessage(io.ErrUnexpectedEOF)}
	}
	if err != nil {
		return err
	}
	return decodeJSON(body, into)
}

func decodeJSON(body []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(body))
	if err := decoder.Decode(into); err != nil {
		return &malformedBodyError{detail: decoderMessage(err)}
	}
	// The decoder would replace invalid bytes and unpaired surrogates, so the stored
	// secret would differ from the one that was sent.
	read := body[:decoder.InputOffset()]
	if !utf8.Valid(read) {
		return &malformedBodyError{detail: "invalid UTF-8"}
	}
	if err := typedvalue.VetJSON("invalid JSON", read, maxBodyDepth); err != nil {
		return &malformedBodyError{detail: err.Error()}
	}
	return nil
}

// decoderMessage returns the message of encoding/json for an error, without text that
// could repeat the input: a type error ends in the literal for numbers ("number 1234").
// A syntax error names at most the one character at which it stopped.
func decoderMessage(err error) string {
	var (
		syntax    *json.SyntaxError
		wrongType *json.UnmarshalTypeError
	)
	switch {
	case errors.Is(err, io.EOF):
		return io.EOF.Error()
	case errors.Is(err, io.ErrUnexpectedEOF):
		return io.ErrUnexpectedEOF.Error()
	case errors.As(err, &syntax):
		return syntax.Error()
	case errors.As(err, &wrongType):
		safe := *wrongType
		safe.Value, _, _ = strings.Cut(wrongType.Value, " ")
		return safe.Error()
	}
	return "invalid JSON"
}
