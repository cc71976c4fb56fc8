// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package framework

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// auditPolicy records every request once, when it is done.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
- level: Metadata
`

// AuditBodies also records the bodies of requests for Latchkey's own objects, for tests of
// clients that must not send values.
func AuditBodies(c *Cluster) {
	c.auditPolicy = strings.Replace(auditPolicy, "rules:\n", "rules:\n- level: RequestResponse\n  resources: [{group: latchkey.dev}]\n", 1)
}

// NoAudit records nothing, for measurements: writing the log takes time.
func NoAudit(c *Cluster) {
	c.auditPolicy = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: None\n"
}

// Audit is the API server's audit log: all requests that it got.
type Audit struct{ path string }

// Request is one entry of the audit log.
type Request struct {
	// Verb is the Kubernetes verb, such as patch.
	Verb string
	// User is the name of the caller.
	User string
	// URI is the path and the query.
	URI string
	// Group, Resource, Subresource, Namespace and Name say what the request was about.
	Group, Resource, Subresource, Namespace, Name string
	// Code is the HTTP status of the answer.
	Code int
}

// String prints a request for failure messages.
func (r Request) String() string {
	return fmt.Sprintf("%s %s -> %d (%s)", r.Verb, r.URI, r.Code, r.User)
}

// Mark is a place in the audit log.
type Mark int64

// Path returns the file.
func (a Audit) Path() string { return a.path }

// Now returns the present end of the log.
func (a Audit) Now() (Mark, error) {
	info, err := os.Stat(a.path)
	if err != nil {
		return 0, fmt.Errorf("audit log: %w", err)
	}
	return Mark(info.Size()), nil
}

// Flush waits until the log has all requests that were answered before: it sends one more
// request, and the log is in the order of the answers.
func (a Audit) Flush(ctx context.Context, c client.Client) error {
	mark, err := a.Now()
	if err != nil {
		return err
	}
	name := "flush-" + string(uuid.NewUUID())
	if err := c.Get(ctx, client.ObjectKey{Name: name}, &corev1.Namespace{}); !apierrors.IsNotFound(err) {
		return fmt.Errorf("a question without an answer: %w", err)
	}
	return wait.PollUntilContextTimeout(ctx, 5*time.Millisecond, 10*time.Second, true, func(context.Context) (bool, error) {
		found, err := a.Since(mark, func(r Request) bool { return r.Name == name })
		return len(found) > 0, err
	})
}

// Filter reports whether a request is wanted.
type Filter func(Request) bool

// Since returns the requests after mark that pass all filters.
func (a Audit) Since(mark Mark, filters ...Filter) ([]Request, error) {
	file, err := os.Open(a.path)
	if err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	defer func() { _ = file.Close() }()
	if _, err := file.Seek(int64(mark), io.SeekStart); err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	var found []Request
	lines := bufio.NewReader(file)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return found, nil // what follows the last line break is still being written
		}
		if err != nil {
			return nil, fmt.Errorf("audit log: %w", err)
		}
		request, err := parseRequest(line)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(filters, func(f Filter) bool { return !f(request) }) {
			found = append(found, request)
		}
	}
}

func parseRequest(line []byte) (Request, error) {
	var entry struct {
		Verb string `json:"verb"`
		URI  string `json:"requestURI"`
		User struct {
			Username string `json:"username"`
		} `json:"user"`
		Object struct {
			Group       string `json:"apiGroup"`
			Resource    string `json:"resource"`
			Subresource string `json:"subresource"`
			Namespace   string `json:"namespace"`
			Name        string `json:"name"`
		} `json:"objectRef"`
		Response struct {
			Code int `json:"code"`
		} `json:"responseStatus"`
	}
	if err := json.Unmarshal(line, &entry); err != nil {
		return Request{}, fmt.Errorf("audit log: %w", err)
	}
	o := entry.Object
	return Request{
		Verb: entry.Verb, User: entry.User.Username, URI: entry.URI, Code: entry.Response.Code,
		Group: o.Group, Resource: o.Resource, Subresource: o.Subresource, Namespace: o.Namespace, Name: o.Name,
	}, nil
}

// ByController passes requests of the controller.
func ByController(r Request) bool { return r.User == serviceAccountUser("controller") }

// ByServer passes requests of the server.
func ByServer(r Request) bool { return r.User == serviceAccountUser("server") }

// ByLatchkey passes requests of both processes.
func ByLatchkey(r Request) bool { return ByController(r) || ByServer(r) }

// Writes passes requests that can change something. It leaves out Leases, which the leader
// renews all the time, and reviews, which have the form of a create.
func Writes(r Request) bool {
	switch r.Verb {
	case "create", "update", "patch", "delete", "deletecollection":
	default:
		return false
	}
	return r.Resource != "leases" && !strings.HasSuffix(r.Resource, "reviews")
}

// Succeeded passes requests that were not refused.
func Succeeded(r Request) bool { return r.Code >= 200 && r.Code < 300 }

// On passes requests for a resource such as secrets.
func On(resource string) Filter { return func(r Request) bool { return r.Resource == resource } }

// In passes requests for objects of a namespace.
func In(namespace string) Filter { return func(r Request) bool { return r.Namespace == namespace } }

func serviceAccountUser(command string) string {
	return "system:serviceaccount:" + SystemNamespace + ":latchkey-" + command
}
