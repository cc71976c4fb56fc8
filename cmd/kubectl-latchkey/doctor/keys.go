// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/sealer"
	"github.com/latchkey-dev/latchkey/internal/seal"
)

const (
	// defaultRotation is the controller's --key-rotation where no Deployment says another.
	defaultRotation = 30 * 24 * time.Hour
	// overdueAfter is how late a successor may come.
	overdueAfter = 24 * time.Hour
	// answeredWithin is how long a request for a successor may wait.
	answeredWithin = 5 * time.Minute
)

func sealingKeys(f SystemFacts) []Finding {
	const check = "Sealing keys"
	if unread, is := f.Keys.unread(check); is {
		return unread
	}
	if len(f.Keys.Value) == 0 {
		return []Finding{failed(check, f.pods(controller), "there is none in namespace %s; the controller makes the first", f.Namespace)}
	}
	newest := f.Keys.Value[0]
	age, every := f.Now.Sub(newest.Created), f.rotation()
	requested, err := time.Parse(time.RFC3339Nano, newest.RotateRequested)
	switch {
	case every > 0 && age > every+overdueAfter:
		return []Finding{failed(check, f.pods(controller), "the newest, %s, is %s old and should have had a successor after %s", newest.ID, days(age), days(every))}
	case err == nil && requested.After(newest.Created) && f.Now.Sub(requested) > answeredWithin:
		return []Finding{failed(check, f.pods(controller), "a successor of %s was asked for at %s and has not been made", newest.ID, newest.RotateRequested)}
	}
	return []Finding{ok(check, "%s; the newest, %s, is %s old", cli.Counted(len(f.Keys.Value), "key"), newest.ID, days(age))}
}

// rotation is how old a key becomes before it has a successor; 0 for ever.
func (f SystemFacts) rotation() time.Duration {
	for _, c := range f.Deployments[controller].Value.Spec.Template.Spec.Containers {
		for _, arg := range c.Args {
			if text, is := strings.CutPrefix(arg, "--key-rotation="); is {
				if every, err := time.ParseDuration(text); err == nil {
					return every
				}
			}
		}
	}
	return defaultRotation
}

func days(d time.Duration) string {
	switch {
	case d < time.Hour:
		return "less than an hour"
	case d < 48*time.Hour:
		return cli.Counted(int(d.Hours()), "hour")
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

func backups(f SystemFacts) []Finding {
	const check = "Backup"
	if !f.Keys.known() || len(f.Keys.Value) == 0 {
		return nil // said already
	}
	var without []string
	for _, k := range f.Keys.Value {
		if k.BackedUp == nil {
			without = append(without, k.ID)
		}
	}
	if len(without) > 0 {
		return []Finding{warn(check, "kubectl latchkey keys backup --recipient age1... -O keys.age",
			"no backup by this plugin has %s: what it seals is lost with it", few(without))}
	}
	return []Finding{ok(check, "all keys are in one, the newest since %s", f.Keys.Value[0].BackedUp.UTC().Format(time.DateOnly))}
}

// published judges what clients find, and the versions.
func published(f SystemFacts) []Finding {
	const keysCheck, check = "Public keys", "Versions"
	if unread, is := f.Published.unread(keysCheck); is {
		return unread
	}
	if f.Published.Absent {
		return []Finding{failed(keysCheck, f.pods(controller), "ConfigMap %s is not in namespace %s; the controller writes it", cluster.PublicKeysName, f.Namespace)}
	}
	data := f.Published.Value
	found := []Finding{ok(keysCheck, "%s is published", data[cluster.PublicKeyID])}
	if all := f.Keys.Value; f.Keys.known() && len(all) > 0 && all[0].ID != data[cluster.PublicKeyID] {
		found = []Finding{failed(keysCheck, f.pods(controller), "key %q is published, and %s is the newest", data[cluster.PublicKeyID], all[0].ID)}
	} else if _, err := cluster.ParsePublished(data); err != nil {
		found = []Finding{failed(keysCheck, f.pods(controller), "%s", cluster.Reason(err))}
	}
	server := data[cluster.VersionKey]
	var missing []string
	for _, key := range []string{cluster.LimitsJSON, cluster.VersionKey} {
		if data[key] == "" {
			missing = append(missing, key)
		}
	}
	switch {
	case len(missing) > 0:
		return append(found, warn(check, f.reinstall(), "ConfigMap %s has no %s: the server is older than this plugin (%s); limits are taken to be the default ones",
			cluster.PublicKeysName, strings.Join(missing, " and no "), f.Plugin))
	case server != f.Plugin:
		return append(found, warn(check, "kubectl latchkey version", "the plugin is %s, the server %s", f.Plugin, server))
	}
	return append(found, ok(check, "plugin and server are %s", server))
}

func lostKeys(f SystemFacts) []Finding {
	const check = "Lost keys"
	if unread, is := f.Objects.unread(check); is {
		return unread
	}
	if f.Objects.Absent {
		return nil // the API is not served, which is said already
	}
	var lost []string
	known := f.keyIDs()
	for _, i := range f.Objects.Value {
		// A value that is in the bundle already is not opened again, so its status may not
		// say yet that it cannot be.
		id, ready := seal.KeyIDOf(i.Sealed()), i.Ready()
		if ready != nil && ready.Reason == v1alpha1.ReasonKeyNotFound || id != "" && known != nil && !slices.Contains(known, id) {
			lost = append(lost, i.Meta().Namespace+"/"+i.Meta().Name)
		}
	}
	if len(lost) > 0 {
		return []Finding{failed(check, "kubectl latchkey keys restore FILE --identity FILE", "%s: %s", cli.Counted(len(lost), "value")+" cannot be opened, since the key is gone", few(lost))}
	}
	return []Finding{ok(check, "every value has its key")}
}

// keyIDs returns the ids of the keys that exist; nil where that is not known.
func (f SystemFacts) keyIDs() []string {
	if f.Keys.known() {
		ids := []string{}
		for _, k := range f.Keys.Value {
			ids = append(ids, k.ID)
		}
		return ids
	}
	if _, all := f.Published.Value["keys.json"]; !all {
		return nil
	}
	published, err := sealer.KeysOf(f.Published.Value)
	if err != nil {
		return nil
	}
	return published.IDs
}

func objects(f SystemFacts) []Finding {
	const check = "Objects"
	if !f.Objects.known() {
		return nil // said already
	}
	reasons := map[string]int{}
	total := 0
	for _, i := range f.Objects.Value {
		if reason, bad := notReady(i, f.Now); bad {
			reasons[reason]++
			total++
		}
	}
	if total == 0 {
		return []Finding{allReady(check, len(f.Objects.Value))}
	}
	var parts []string
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		parts = append(parts, fmt.Sprintf("%s %d", reason, reasons[reason]))
	}
	return []Finding{warn(check, "kubectl latchkey list -A", "%d of %d are not ready: %s", total, len(f.Objects.Value), strings.Join(parts, ", "))}
}

// lookedAtWithin is how long an object may wait for the controller.
const lookedAtWithin = time.Minute

// notReady returns why an object is not ready.
func notReady(i cluster.Item, now time.Time) (reason string, is bool) {
	ready := i.Ready()
	if ready == nil {
		return "not looked at", now.Sub(i.Meta().CreationTimestamp.Time) > lookedAtWithin
	}
	return ready.Reason, ready.Status != "True"
}
