// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package active

import "net/http"

// WatchCredentials wraps the transport of this process's requests to the API server. An
// answer of 401 ends the tenure at once: this process can do nothing more, and it can
// neither renew nor release the Lease. A pod that is deleted by force is an example, since
// its token ends before its process does. Requests then wait for the next active server.
// Without this, they would be refused until the Lease runs out. If the credentials work
// again, the next renewal begins a new tenure.
func (t *Tenure) WatchCredentials(next http.RoundTripper) http.RoundTripper {
	return &credentials{RoundTripper: next, tenure: t}
}

type credentials struct {
	http.RoundTripper
	tenure *Tenure
}

// RoundTrip implements http.RoundTripper.
func (c *credentials) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := c.RoundTripper.RoundTrip(r)
	if err == nil && resp.StatusCode == http.StatusUnauthorized {
		c.tenure.refused()
	}
	return resp, err
}

// WrappedRoundTripper lets client-go reach the transport below, as it expects of a wrapper.
func (c *credentials) WrappedRoundTripper() http.RoundTripper { return c.RoundTripper }

// refused records that the API server does not accept this process's credentials.
func (t *Tenure) refused() {
	if t.state().held {
		t.lost()
	}
}
