// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/latchkey-dev/latchkey/api/v1alpha1"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/doctor"
)

// actions are what people want to do.
var actions = []string{"set", "reveal", "run", "rotate"}

// rightsFor returns the rights that an action takes.
func rightsFor(action, user, namespace, system string) []cluster.Right {
	group := v1alpha1.GroupVersion.Group
	switch action {
	case "set":
		return []cluster.Right{
			{User: user, Verb: "list", Resource: cluster.UserSecrets, Group: group, Namespace: namespace},
			{User: user, Verb: "create", Resource: cluster.UserSecrets, Group: group, Namespace: namespace},
			{User: user, Verb: "patch", Resource: cluster.UserSecrets, Group: group, Namespace: namespace},
			{User: user, Verb: "get", Resource: "configmaps", Namespace: system, Names: []string{cluster.PublicKeysName}},
		}
	case "reveal":
		return []cluster.Right{
			{User: user, Verb: "list", Resource: cluster.AgentSecrets, Group: group, Namespace: namespace},
			{User: user, Verb: "get", Resource: cluster.AgentSecrets + "/value", Group: group, Namespace: namespace},
		}
	case "run":
		return []cluster.Right{{User: user, Verb: "get", Resource: "secrets", Namespace: namespace, Names: []string{
			v1alpha1.BundleUserEnv, v1alpha1.BundleUserFiles, v1alpha1.BundleAgentEnv, v1alpha1.BundleAgentFiles,
		}}}
	}
	return []cluster.Right{
		{User: user, Verb: "list", Resource: "secrets", Namespace: system},
		{User: user, Verb: "patch", Resource: "secrets", Namespace: system},
	}
}

// identity is who the caller is, and what they may do.
type identity struct {
	User      string   `json:"user"`
	Groups    []string `json:"groups,omitempty"`
	Namespace string   `json:"namespace"`
	// TenantUser and Environment are what the namespace is; Unknown says why that is not
	// known.
	TenantUser  string `json:"tenantUser,omitempty"`
	Environment string `json:"environment,omitempty"`
	Unknown     string `json:"unknown,omitempty"`
	// Own reports whether the caller is the user that the namespace is.
	Own bool     `json:"own"`
	May []string `json:"may"`
	// Lacks has the rights that are missing for an action.
	Lacks map[string][]string `json:"lacks,omitempty"`
}

func newWhoami(f *cli.Factory) *cobra.Command {
	var output cli.Output
	cmd := &cobra.Command{
		Use: "whoami", Short: "Show who the cluster says you are, whose the namespace is, and what you may do there", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := output.Check(); err != nil {
				return err
			}
			me, err := identify(cmd.Context(), f)
			switch {
			case err != nil:
				return err
			case output.Structured():
				return output.Data(f.Out, me)
			}
			me.show(f)
			return nil
		},
	}
	output.AddFlag(cmd.Flags(), "json", "yaml")
	return cmd
}

func identify(ctx context.Context, f *cli.Factory) (identity, error) {
	c, name, err := cluster.Open(f)
	if err != nil {
		return identity{}, err
	}
	self, err := c.Self(ctx)
	if err != nil {
		return identity{}, err
	}
	me := identity{User: self.Username, Groups: self.Groups, Namespace: name, May: []string{}, Lacks: map[string][]string{}}
	namespace, err := c.Core.Namespaces().Get(ctx, name, metav1.GetOptions{})
	if right, denied := cluster.Denied(err); denied {
		me.Unknown = "you may not " + right.String()
	} else if err != nil {
		me.Unknown = err.Error()
	} else {
		me.TenantUser, me.Environment = namespace.Labels[v1alpha1.LabelUser], namespace.Labels[v1alpha1.LabelEnvironment]
		me.Own = me.TenantUser != "" && slices.Contains(doctor.Subjects(namespace), me.User)
	}
	progress := f.Progress("rights")
	defer progress.End()
	for i, action := range actions {
		progress.Say(i, len(actions))
		lacks, err := c.Lacks(ctx, rightsFor(action, me.User, name, f.SystemNamespace))
		if err != nil {
			return me, err
		}
		if len(lacks) == 0 {
			me.May = append(me.May, action)
		}
		for _, right := range lacks {
			me.Lacks[action] = append(me.Lacks[action], right.String())
		}
	}
	return me, nil
}

func (me identity) show(f *cli.Factory) {
	f.Printf("You are:    %s\n", cli.Plain(me.User))
	if len(me.Groups) > 0 {
		f.Printf("Groups:     %s\n", cli.Plain(strings.Join(me.Groups, ", ")))
	}
	f.Printf("Namespace:  %s, %s\n", me.Namespace, me.tenant())
	if len(me.May) > 0 {
		f.Printf("You may:    %s\n", strings.Join(me.May, ", "))
	}
	for _, action := range actions {
		if lacks := me.Lacks[action]; len(lacks) > 0 {
			f.Printf("You may not %s: %s\n", action, strings.Join(lacks, "; "))
		}
	}
	if len(me.Lacks["set"]) > 0 {
		f.Notice("%s", cluster.WithoutRoles)
	}
}

// tenant says whose the namespace is.
func (me identity) tenant() string {
	var is []string
	if me.TenantUser != "" {
		text := "of user " + me.TenantUser
		if me.Own {
			text += ", who you are"
		}
		is = append(is, text)
	}
	if me.Environment != "" {
		is = append(is, "environment "+me.Environment)
	}
	switch {
	case me.Unknown != "":
		return "whose is not known: " + me.Unknown
	case len(is) == 0:
		return "neither a user's nor an environment"
	}
	return strings.Join(is, ", ")
}
