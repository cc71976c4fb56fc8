// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/rest"
)

// slowly returns a kubeconfig that leads to the API server through a proxy, which answers
// each request later.
func slowly(later time.Duration) string {
	GinkgoHelper()
	target, err := url.Parse(cluster.Config.Host)
	Expect(err).NotTo(HaveOccurred())
	transport, err := rest.TransportFor(cluster.Config)
	Expect(err).NotTo(HaveOccurred())
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.Transport = transport
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(later):
			proxy.ServeHTTP(w, r)
		case <-r.Context().Done():
		}
	}))
	DeferCleanup(server.Close)
	return file(GinkgoT().TempDir(), "kubeconfig", kubeconfigOf(server.URL))
}

// kubeconfigOf leads to a server that asks nobody who they are.
func kubeconfigOf(server string) string {
	return fmt.Sprintf(`{"apiVersion":"v1","kind":"Config","current-context":"c","clusters":[{"name":"c","cluster":{"server":%q}}],`+
		`"contexts":[{"name":"c","context":{"cluster":"c","user":"u"}}],"users":[{"name":"u"}]}`, server)
}

var _ = Describe("what takes longer than a second", func() {
	It("says so on a terminal, and how far it is, and takes the line away again", func(ctx SpecContext) {
		ns, words := forTwo(ctx)
		env := file(GinkgoT().TempDir(), "x.env", "A="+canary+"\nB="+canary+"\nC="+canary+"\n")
		slow := slowly(1100 * time.Millisecond)
		waiting := "waiting for the API server 127.0.0.1:"
		// All at once, since most of it is waiting.
		terminals := map[string]*terminal{}
		says := map[string][]string{
			"list":                     {waiting},
			"import " + env + " --yes": {waiting, "dry runs: ", "written: "},
			"whoami":                   {waiting, "rights: "},
			"doctor --tenant":          {waiting, "looking at: the pods"},
		}
		for command := range says {
			terminals[command] = onTerminal(ctx, ns, append([]string{"--kubeconfig", slow}, strings.Fields(words.Replace(command))...)...)
		}
		for command, want := range says {
			t := terminals[command]
			Expect(t.end()).To(Equal(0), "%s: %s", command, t.screen())
			for _, text := range want {
				Expect(t.screen()).To(ContainSubstring("\r\x1b[K"+text), command)
			}
			for _, line := range strings.Split(t.screen(), "\n") {
				_, last, _ := cutLast(strings.TrimSuffix(line, "\r"), "\r\x1b[K")
				Expect(last).NotTo(Or(ContainSubstring("waiting for"), ContainSubstring("dry runs: ")), "%s leaves %q", command, line)
			}
		}
	})
})

// cutLast is strings.Cut at the last place.
func cutLast(text, at string) (before, after string, found bool) {
	i := strings.LastIndex(text, at)
	if i < 0 {
		return "", text, false
	}
	return text[:i], text[i+len(at):], true
}
