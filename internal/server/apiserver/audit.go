// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"gopkg.in/natefinch/lumberjack.v2"
	auditinternal "k8s.io/apiserver/pkg/apis/audit"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"k8s.io/apiserver/pkg/audit"
	"k8s.io/apiserver/pkg/audit/policy"
	auditlog "k8s.io/apiserver/plugin/pkg/audit/log"

	"github.com/latchkey-dev/latchkey/internal/server/requests"
)

// auditPolicy is built in, since it is what keeps values out of the records: metadata
// and never a body. Probes, and what says nothing of secrets, are left out.
func auditPolicy() audit.PolicyRuleEvaluator {
	return policy.NewPolicyRuleEvaluator(&auditinternal.Policy{
		Rules: []auditinternal.PolicyRule{
			{Level: auditinternal.LevelNone, NonResourceURLs: []string{
				"/healthz*", "/livez*", "/readyz*", "/openapi/*", "/apis", "/apis/" + coderGroup.Group, "/apis/" + coderGroup.String(),
				"/apis/" + golemGroup.Group, "/apis/" + golemGroup.String(),
			}},
			{Level: auditinternal.LevelMetadata},
		},
		OmitStages: []auditinternal.Stage{auditinternal.StageRequestReceived},
	})
}

// withFace notes in the audit record by which face a request came.
func withFace(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		face := "direct"
		if strings.HasPrefix(r.URL.Path, "/apis/") {
			face = "aggregated"
		}
		audit.AddAuditAnnotation(r.Context(), requests.AuditFace, face)
		handler.ServeHTTP(w, r)
	})
}

// AuditLog says where audit records go and how long their files are kept.
type AuditLog struct {
	// Path is the file; "-" is standard output, "" none at all.
	Path string
	// MaxAge is how many days an old file is kept, MaxBackups how many old files;
	// 0 means without end.
	MaxAge, MaxBackups int
	// MaxSize is how many megabytes a file grows to; 0 means without end.
	MaxSize int
}

// backend opens the log; it is nil when there is none.
func (l AuditLog) backend() (audit.Backend, error) {
	out, err := l.open()
	if out == nil || err != nil {
		return nil, err
	}
	return patient{auditlog.NewBackend(out, auditlog.FormatJson, auditv1.SchemeGroupVersion)}, nil
}

func (l AuditLog) open() (io.Writer, error) {
	if l.Path == "" {
		return nil, nil
	}
	if l.Path == "-" {
		return os.Stdout, nil
	}
	// Opened here once, so that a path that cannot be written is reported now.
	if err := os.MkdirAll(filepath.Dir(l.Path), 0o700); err != nil {
		return nil, fmt.Errorf("open the audit log: %w", err)
	}
	file, err := os.OpenFile(l.Path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the audit log: %w", err)
	}
	if l.MaxSize == 0 {
		return file, nil
	}
	if err := file.Close(); err != nil {
		return nil, fmt.Errorf("open the audit log: %w", err)
	}
	return &lumberjack.Logger{Filename: l.Path, MaxAge: l.MaxAge, MaxBackups: l.MaxBackups, MaxSize: l.MaxSize}, nil
}

// patient is a backend whose failures fail no request: they are counted and logged by
// the backend itself.
type patient struct{ audit.Backend }

// ProcessEvents implements audit.Sink.
func (p patient) ProcessEvents(events ...*auditinternal.Event) bool {
	p.Backend.ProcessEvents(events...)
	return true
}
