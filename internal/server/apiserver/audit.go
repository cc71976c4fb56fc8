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

// auditPolicy is built in, because it keeps values out of the records: they have
// metadata and never a body. Probes and discovery are not recorded.
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

// withFace adds to the audit record whether the request was direct or aggregated.
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

// AuditLog configures where audit records are written and how long files are stored.
type AuditLog struct {
	// Path is the file; "-" is standard output, and "" disables the log.
	Path string
	// MaxAge is how many days an old file is stored, MaxBackups how many old files are;
	// 0 means no limit.
	MaxAge, MaxBackups int
	// MaxSize is the maximum size of a file in megabytes; 0 means no limit.
	MaxSize int
}

// backend opens the log; it returns nil if the log is disabled.
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
	// Open it once now, so that a path that cannot be written is reported at the start.
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

// patient is a backend whose failures do not fail requests: the backend counts and logs
// them itself.
type patient struct{ audit.Backend }

// ProcessEvents implements audit.Sink.
func (p patient) ProcessEvents(events ...*auditinternal.Event) bool {
	p.Backend.ProcessEvents(events...)
	return true
}
