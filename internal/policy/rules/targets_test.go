// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"slices"
	"strings"
	"testing"
)

const (
	outside = "it lies outside of the directories for files"
	code    = "it has the name of a file of code"
)

func read(name string) string {
	return name + " is read by shells, interpreters or tools before a program's own code"
}

func TestTargetsFile_ByDefault_RefusesWhatIsReadBeforeAProgram(t *testing.T) {
	for p, want := range map[string]string{
		// What the thing is for.
		"~/.config/gh/token": "", "~/.config/gh/hosts.yml": "", "~/.netrc": "", "~/.npmrc": "", "~/.pypirc": "", "~/.pgpass": "", "~/.my.cnf": "", "~/.git-credentials": "",
		"~/.aws/credentials": "", "~/.aws/config": "", "~/.kube/config": "", "~/.docker/config.json": "", "~/.ssh/id_ed25519": "", "~/.ssh/known_hosts": "",
		"~/.config/git/credentials": "", "~/.cargo/credentials.toml": "", "~/.m2/settings.xml": "", "~/.gradle/gradle.properties": "",
		"~/.config/gcloud/application_default_credentials.json": "", "~/.terraform.d/credentials.tfrc.json": "", "~/.gnupg/private-keys-v1.d": "",
		"~/.vault-token": "", "~/token": "", "/home/dev/.netrc": "", "/root/.netrc": "", "/run/secrets/token": "", "/var/run/app/tls.key": "", "/tmp/x": "", "/srv/a": "",
		"/mnt/a/b": "", "/data/ca.crt": "", "/secrets/db.json": "", "/etc/secrets/db.json": "", "~/.env": "", "~/libsecret": "", "~/x.sock": "",
		// The system's own, and links to it.
		"/etc/passwd": outside, "/etc/ld.so.preload": outside, "/etc/nsswitch.conf": outside, "/etc/profile.d/x.sh": outside, "/etc/app/token": outside, "/etc/secretsx": outside,
		"/lib/x": outside, "/lib64/x.so": outside, "/usr/lib/python3/dist-packages/sitecustomize.py": outside, "/usr/local/bin/x": outside, "/bin/sh": outside, "/sbin/init": outside,
		"/var/lib/x": outside, "/var/spool/cron/root": outside, "/opt/app/x": outside, "/app/main": outside, "/x": outside, "/boot/x": outside, "/var/lock/../x": outside,
		"/run/../etc/passwd": outside, "/proc/self/root/etc/passwd": outside, "/runx": outside, "/": outside, "~": "",
		// In a home: shells, logins, editors, tools.
		"~/.bashrc": read(".bashrc"), "~/.BASHRC": read(".bashrc"), "~//.bashrc": read(".bashrc"), "~/./.bashrc": read(".bashrc"), "/root/.bashrc": read(".bashrc"), "/home/dev/.zshrc": read(".zshrc"),
		"~/.profile": read(".profile"), "~/.bash_profile": read(".bash_profile"), "~/.pythonrc": read(".pythonrc"), "~/.vimrc": read(".vimrc"), "~/.inputrc": read(".inputrc"), "~/.xinitrc": read(".xinitrc"),
		"~/.ssh/authorized_keys": read("authorized_keys"), "~/.ssh/rc": read("rc"), "~/.ssh/config": read("config"), "~/.ssh/environment": read("environment"),
		"~/.gitconfig": read(".gitconfig"), "~/.config/git/config": read("config"), "~/.config/fish/x": read("fish"), "~/.config/autostart/x": read("autostart"), "~/.config/systemd/user/x": read("systemd"),
		"~/.config/environment.d/x": read("environment.d"), "~/.local/bin/x": read("bin"), "~/bin/ls": read("bin"), "~/.cargo/config.toml": read("config.toml"),
		"~/.local/lib/python3.12/site-packages/x": read("lib"), "~/venv/site-packages/x": read("site-packages"), "~/node_modules/x/index": read("node_modules"), "/srv/Node_Modules/x": read("node_modules"),
		"~/package.json": read("package.json"), "~/.docker/cli-plugins/x": read("cli-plugins"), "/run/userdb/x.user": read("userdb"), "/run/systemd/x": read("systemd"),
		// Code by its name.
		"~/sitecustomize.py": code, "/srv/x.so": code, "/srv/x.so.1": code, "/tmp/x.JS": code, "~/x.pth": code, "/run/a.jar": code,
	} {
		if got := (*Targets)(nil).File(p); got != want {
			t.Errorf("File(%q) = %q, want %q", p, got, want)
		}
	}
}

func TestTargetsEnv_ByDefault_RefusesWhatMakesProgramsRunCode(t *testing.T) {
	for _, name := range []string{
		"PATH", "HOME", "LD_PRELOAD", "LD_AUDIT", "DYLD_INSERT_LIBRARIES", "GCONV_PATH", "GLIBC_TUNABLES", "LOCPATH", "NLSPATH", "HOSTALIASES", "RES_OPTIONS", "MALLOC_CHECK_",
		"BASH_ENV", "ENV", "PROMPT_COMMAND", "PS4", "SHELLOPTS", "BASHOPTS", "IFS", "ZDOTDIR", "EDITOR", "VISUAL", "PAGER", "LESSOPEN", "KUBE_EDITOR", "SSH_ASKPASS",
		"PYTHONPATH", "pythonpath", "PythonPath", "PYTHONSTARTUP", "PYTHONHOME", "PYTHONUSERBASE", "PYTHONWARNINGS", "PYTHONBREAKPOINT", "PYTHON_PRESITE",
		"NODE_OPTIONS", "NODE_PATH", "npm_config_script_shell", "PERL5LIB", "PERL5OPT", "RUBYOPT", "RUBYLIB", "BUNDLE_GEMFILE", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS",
		"CLASSPATH", "ES_JAVA_OPTS", "MAVEN_OPTS", "DOTNET_STARTUP_HOOKS", "CORECLR_PROFILER_PATH", "LUA_INIT", "LUA_PATH_5_4", "PHPRC", "PHP_INI_SCAN_DIR", "R_PROFILE_USER", "ERL_FLAGS",
		"GIT_SSH_COMMAND", "GIT_CONFIG_COUNT", "GIT_EXEC_PATH", "GIT_EXTERNAL_DIFF", "GIT_ASKPASS", "GIT_PAGER", "GOFLAGS", "CARGO_BUILD_RUSTC_WRAPPER", "MAKEFLAGS", "CC",
		"OPENSSL_CONF", "OPENSSL_ENGINES", "SSLKEYLOGFILE", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS",
	} {
		want := strings.ToUpper(name) + " is a variable that loaders, shells, interpreters or tools depend on"
		if got := (*Targets)(nil).Env(name); got != want {
			t.Errorf("Env(%q) = %q, want %q", name, got, want)
		}
	}
	for _, name := range []string{
		"GITHUB_TOKEN", "GH_TOKEN", "GIT_TOKEN", "NPM_TOKEN", "NODE_AUTH_TOKEN", "PIP_INDEX_URL", "RUBYGEMS_API_KEY", "BUNDLE_GEMS__EXAMPLE__COM", "CARGO_REGISTRY_TOKEN", "AWS_SECRET_ACCESS_KEY",
		"AWS_PROFILE", "KUBECONFIG", "DATABASE_URL", "DB_PASSWORD", "HTTPS_PROXY", "SSL_CERT_FILE", "GOPRIVATE", "JAVA_KEYSTORE_PASSWORD", "OPENAI_API_KEY", "LESSON", "PASSPHRASE", "ENVIRONMENT", "REDIS_OPTIONS",
	} {
		if got := (*Targets)(nil).Env(name); got != "" {
			t.Errorf("Env(%q) = %q, want it to be projected", name, got)
		}
	}
}

// TestHazards_EachOfTheLists_IsInTheFormThatIsCompared keeps an entry from never matching.
func TestHazards_EachOfTheLists_IsInTheFormThatIsCompared(t *testing.T) {
	for _, p := range refusedVariables {
		if strings.ToUpper(p) != p || !patternForm.MatchString(p) {
			t.Errorf("variable %q", p)
		}
	}
	names := slices.Concat(refusedNames, refusedSuffixes, allowedNames)
	for dir, below := range refusedBelow {
		names = append(append(names, dir), below...)
	}
	for _, n := range names {
		if strings.ToLower(n) != n || strings.Contains(n, "/") {
			t.Errorf("name %q", n)
		}
	}
	for _, list := range [][]string{refusedVariables, refusedNames, refusedSuffixes} {
		seen := map[string]bool{}
		for _, entry := range list {
			if seen[entry] {
				t.Errorf("%q is there twice", entry)
			}
			seen[entry] = true
		}
	}
}

func TestTargetsInHome_AnyHome_KeepsToItsOwnFiles(t *testing.T) {
	for _, tt := range []struct{ home, rest, want string }{
		{"/root", "token", ""}, {"/home/dev", "a/b", ""}, {"/run/app", "token", ""}, {"/", "run/token", ""},
		{"/", ".netrc", ""}, {"/usr/share/app", ".config/gh/token", ""}, {"/app", ".netrc", ""}, {"/var/lib/postgresql", ".pgpass", ""},
		{"/", "etc/passwd", outside}, {"/usr", "lib/x", outside}, {"/etc", "passwd", outside}, {"/app", "server", outside},
		{"/var", "run/x", ""}, {"/usr/share/app", "./x", outside}, {"/", "proc/self/root/etc/passwd", outside},
	} {
		if got := (*Targets)(nil).InHome(tt.home, tt.rest); got != tt.want {
			t.Errorf("InHome(%q, %q) = %q, want %q", tt.home, tt.rest, got, tt.want)
		}
	}
}

func TestNewTargets_WithOptions_ReplacesRootsAndAddsVariables(t *testing.T) {
	targets, err := NewTargets(TargetOptions{
		Roots:   []string{"/var/run/own/", "/opt/app/node_modules", "~/.gitconfig", "/"},
		Refused: []string{"ours", "OURS_*", "*_OURS"}, Allowed: []string{"NODE_OPTIONS", "GIT_*"},
	})
	if err != nil {
		t.Fatal(err)
	}
	narrow, err := NewTargets(TargetOptions{Roots: []string{"/var/run/own", "/opt/app/node_modules", "~/.gitconfig"}})
	if err != nil {
		t.Fatal(err)
	}
	for p, want := range map[string]string{
		"/run/own/x": "", "/var/run/own/x": "", "/opt/app/node_modules/x": "", "~/.gitconfig": "", "/opt/app/node_modules/x.js": code,
		"/run/other": outside, "~/.netrc": outside, "/etc/passwd": outside,
	} {
		if got := narrow.File(p); got != want {
			t.Errorf("File(%q) = %q, want %q", p, got, want)
		}
	}
	for p, want := range map[string]string{"/etc/passwd": "", "/usr/lib/x": read("lib")} {
		if got := targets.File(p); got != want {
			t.Errorf("with the root, File(%q) = %q, want %q", p, got, want)
		}
	}
	for name, refused := range map[string]bool{
		"OURS": true, "ours": true, "OURS_X": true, "X_OURS": true, "NODE_OPTIONS": false, "GIT_SSH": false, "GIT_ASKPASS": false, "PYTHONPATH": true, "PATH": true,
	} {
		if got := targets.Env(name) != ""; got != refused {
			t.Errorf("Env(%q) refuses: %t, want %t", name, got, refused)
		}
	}
}

func TestNewTargets_WrongOptions_AreNamed(t *testing.T) {
	for name, o := range map[string]TargetOptions{
		"a relative root":           {Roots: []string{"run"}},
		"an empty root":             {Roots: []string{""}},
		"another user's home":       {Roots: []string{"~dev"}},
		"a root that goes up":       {Roots: []string{"/run/.."}},
		"an asterisk in the middle": {Refused: []string{"A_*_B"}},
		"an asterisk alone":         {Allowed: []string{"*"}},
		"no name":                   {Refused: []string{"A-B"}},
		"an empty name":             {Allowed: []string{""}},
	} {
		if _, err := NewTargets(o); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}
