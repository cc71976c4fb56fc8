// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

// The lists below have one criterion: a loader, the C library, a name service, a shell,
// an interpreter or a developer's tool reads the variable or file before the program's
// own code, and runs code from it or uses it to choose which code runs. Data that a
// program itself reads is not listed, even if it may name a command (~/.kube/config,
// ~/.aws/config, ~/.npmrc): those files contain credentials.

// refusedVariables are not projected, and neither are the reserved ones. Upper case; an
// asterisk at one end matches anything.
var refusedVariables = []string{
	// The loader, the C library and its name services. LD_, DYLD_ and LC_ are system prefixes.
	"ASAN_OPTIONS", "GCONV_PATH", "GETCONF_DIR", "GLIBC_TUNABLES", "HOSTALIASES", "LIBPATH", "LOCALDOMAIN", "LOCPATH", "LSAN_OPTIONS",
	"MALLOC_*", "MSAN_OPTIONS", "NLSPATH", "QEMU_*", "RESOLV_*", "RES_OPTIONS", "SHLIB_PATH", "TSAN_OPTIONS", "TZDIR", "UBSAN_OPTIONS",
	// Shells and terminals.
	"BASHOPTS", "BASH_*", "EXECIGNORE", "FCEDIT", "FPATH", "GLOBIGNORE", "HISTFILE", "INPUTRC", "MAILPATH", "PROMPT_COMMAND",
	"PS0", "PS1", "PS2", "PS3", "PS4", "SHELLOPTS", "TERMCAP", "TERMINFO*", "XONSHRC", "ZDOTDIR",
	// Programs that others call: editors, pagers, browsers, remote shells.
	"*_ASKPASS", "*_BROWSER", "*_EDITOR", "*_PAGER", "BROWSER", "CVS_RSH", "EXINIT", "FZF_DEFAULT_*", "HGEDITOR", "HGMERGE", "HGRCPATH",
	"LESS", "LESSCLOSE", "LESSKEY*", "LESSOPEN", "MANPAGER", "PSQLRC", "RSYNC_CONNECT_PROG", "RSYNC_RSH", "SVN_SSH", "TAR_OPTIONS", "VIMINIT", "VIMRUNTIME",
	// Git: what picks a program or a configuration. GIT_TOKEN is a secret like any other.
	"GIT_ALTERNATE_*", "GIT_ATTR_*", "GIT_COMMON_DIR", "GIT_CONFIG", "GIT_CONFIG_*", "GIT_DIR", "GIT_EXEC_PATH", "GIT_EXTERNAL_DIFF",
	"GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_PROXY_COMMAND", "GIT_SHELL_PATH", "GIT_SSH", "GIT_SSH_*", "GIT_TEMPLATE_DIR", "GIT_TRACE*", "GIT_WORK_TREE",
	// Python.
	"DJANGO_SETTINGS_MODULE", "FLASK_APP", "GUNICORN_CMD_ARGS", "IPYTHONDIR", "JUPYTER_CONFIG_*", "JUPYTER_PATH", "MPLBACKEND", "PIP_CONFIG_FILE",
	"PYSPARK_*", "PYTHON*", "UV_CONFIG_FILE", "VIRTUAL_ENV",
	// Node, Deno, Bun. NODE_AUTH_TOKEN and NPM_TOKEN are secrets.
	"BABEL_*", "BUN_INSTALL*", "BUN_OPTIONS", "COREPACK_HOME", "DENO_DIR", "ELECTRON_*", "NODE_CHANNEL_*", "NODE_COMPILE_CACHE", "NODE_ICU_DATA",
	"NODE_OPTIONS", "NODE_PATH", "NODE_REDIRECT_WARNINGS", "NODE_REPL_*", "NODE_UNIQUE_ID", "NODE_V8_COVERAGE", "NPM_CONFIG_BROWSER", "NPM_CONFIG_EDITOR",
	"NPM_CONFIG_GIT", "NPM_CONFIG_GLOBALCONFIG", "NPM_CONFIG_INIT_MODULE", "NPM_CONFIG_NODE_*", "NPM_CONFIG_PREFIX", "NPM_CONFIG_SCRIPT_SHELL",
	"NPM_CONFIG_SHELL", "NPM_CONFIG_USERCONFIG", "NVM_DIR", "TS_NODE_*", "YARN_PLUGINS", "YARN_RC_FILENAME", "YARN_YARN_PATH",
	// Java and what runs on it.
	"*_JAVA_OPTIONS", "*_JAVA_OPTS", "ANT_ARGS", "ANT_OPTS", "CATALINA_OPTS", "CLASSPATH", "GRADLE_OPTS", "GRADLE_USER_HOME", "HADOOP_CLASSPATH", "HADOOP_OPTS",
	"JAVACMD", "JAVA_ARGS", "JAVA_HOME", "JAVA_OPTIONS", "JAVA_OPTS", "JAVA_OPTS_*", "JAVA_TOOL_OPTIONS", "JBOSS_MODULEPATH", "JDK_JAVAC_OPTIONS",
	"JRE_HOME", "JVM_OPTS", "KAFKA_OPTS", "LOADER_PATH", "M2_HOME", "MAVEN_ARGS", "MAVEN_HOME", "MAVEN_OPTS", "SBT_OPTS", "SPARK_CLASSPATH",
	"SPARK_CONF_DIR", "SPARK_SUBMIT_OPTS",
	// .NET.
	"ASPNETCORE_HOSTINGSTARTUP*", "COMPLUS_*", "CORECLR_*", "COREHOST_*", "COR_ENABLE_PROFILING", "COR_PROFILER*", "DOTNET_*", "MONO_*", "MSBUILD*", "NUGET_PACKAGES",
	// Perl, Ruby, PHP, Lua, R, Erlang and others. BUNDLE_ with the name of a host is a secret.
	"AWKLIBPATH", "AWKPATH", "BUNDLE_APP_CONFIG", "BUNDLE_BIN", "BUNDLE_GEMFILE", "BUNDLE_PATH", "BUNDLE_USER_*", "CAML_LD_LIBRARY_PATH", "ELIXIR_*", "ERL_*",
	"GEM_HOME", "GEM_PATH", "GHCRTS", "GUILE_*", "IRBRC", "JULIA_*", "LUAJIT_*", "LUA_*", "OCAMLRUNPARAM", "PERL*", "PHPRC", "PHP_INI_SCAN_DIR",
	"RUBYLIB", "RUBYOPT", "RUBYPATH", "RUBYSHELL", "R_ENVIRON*", "R_HOME", "R_LIBS*", "R_PROFILE*", "TCLLIBPATH", "TCL_LIBRARY", "TK_LIBRARY",
	// What builds: compilers, linkers, and what they run and link.
	"CARGO_BUILD_*", "CARGO_HOME", "CARGO_TARGET_*", "CC", "CGO_*", "CMAKE_*", "COMPILER_PATH", "CPATH", "CPLUS_INCLUDE_PATH", "CXX", "C_INCLUDE_PATH", "GCC_EXEC_PREFIX",
	"GNUMAKEFLAGS", "GOBIN", "GOENV", "GOFLAGS", "GOPACKAGESDRIVER", "GOPATH", "GOROOT", "GOTOOLCHAIN", "GOTOOLDIR", "LIBRARY_PATH", "MAKEFILES", "MAKEFLAGS",
	"PKG_CONFIG*", "RUSTC", "RUSTC_*", "RUSTDOC*", "RUSTFLAGS", "RUSTUP_*",
	// Libraries that load what a variable names.
	"ALSA_CONFIG_*", "ANSIBLE_CONFIG", "ANSIBLE_LIBRARY", "FONTCONFIG_*", "GDK_PIXBUF_MODULE*", "GIO_EXTRA_MODULES", "GIO_MODULE_DIR", "GI_TYPELIB_PATH", "GST_PLUGIN*", "GTK_MODULES",
	"GTK_PATH", "HELM_PLUGINS", "KRB5_CONFIG", "LADSPA_PATH", "LIBGL_DRIVERS_PATH", "MAGICK_*", "OCL_ICD_*", "ODBCINI", "ODBCINSTINI", "ODBCSYSINI", "OPENSSL_*",
	"P11_KIT_*", "QML2_IMPORT_PATH", "QML_IMPORT_PATH", "QT_PLUGIN_PATH", "QT_QPA_*", "SASL_PATH", "SSLKEYLOGFILE", "TF_CLI_CONFIG_FILE",
	"VK_DRIVER_FILES", "VK_ICD_FILENAMES", "VK_LAYER_PATH", "XDG_*",
}

// refusedNames are names of files and directories. Nothing is projected at such a name
// or below it. Lower case.
var refusedNames = []string{
	// Code that is found by its location.
	"autoload", "autostart", "bin", "cli-plugins", "dist-packages", "gems", "hooks", "lib", "lib64", "libexec", "node_modules", "nscd", "plugins", "sbin",
	"site-packages", "site_perl", "systemd", "userdb", "vendor_perl",
	// Shells, in every kind of session.
	".bash_aliases", ".bash_completion", ".bash_login", ".bash_logout", ".bash_profile", ".kshenv", ".login", ".login_conf", ".logout", ".oh-my-zsh",
	".pam_environment", ".profile", ".xprofile", ".xsession", ".zlogin", ".zlogout", ".zprofile", ".zshenv",
	// Which users may log in, and what runs then.
	".forward", ".k5login", ".k5users", ".rhosts", ".shosts", "authorized_keys", "authorized_keys2",
	// Editors, debuggers, multiplexers, interpreters.
	".emacs", ".erlang", ".gdbinit", ".ghci", ".guile", ".ipython", ".julia", ".jupyter", ".lessfilter", ".lesskey", ".lldbinit", ".ocamlinit", ".perldb",
	".renviron", ".rprofile", ".tmux.conf", ".vim", ".vscode", ".vscode-server",
	// Version managers and build tools.
	".asdf", ".gitattributes", ".gitconfig", ".gitmodules", ".husky", ".krew", ".nvm", ".pyenv", ".rbenv", ".rspec", ".rustup", ".rvm", ".sdkman", ".volta", ".yarn",
	".yarnrc.yml",
	// What an interpreter looks for beside a program or above it.
	".htaccess", ".user.ini", "bunfig.toml", "deno.json", "deno.jsonc", "gemfile", "makefile", "gnumakefile", "package.json", "php.ini", "pyvenv.cfg", "rakefile", "web.config",
}

// refusedBelow are names that are refused directly below a directory. Lower case.
var refusedBelow = map[string][]string{
	".ssh":        {"config", "environment", "rc"},
	"git":         {"attributes", "config"},
	".git":        {"config", "info", "modules"},
	".cargo":      {"config", "config.toml", "env"},
	".m2":         {"extensions.xml"},
	".mvn":        {"extensions.xml", "jvm.config", "maven.config"},
	".gnupg":      {"dirmngr.conf", "gpg-agent.conf", "gpg.conf", "scdaemon.conf"},
	".aws":        {"cli"},
	".kube":       {"kuberc"},
	".subversion": {"config"},
	".config": {
		"alacritty", "direnv", "elvish", "emacs", "fish", "helix", "i3", "kak", "kitty", "mise", "nushell", "nvim", "powershell", "ranger", "sway",
		"tmux", "vim", "wezterm", "xonsh", "zsh",
	},
}

// allowedNames contain credentials although they look like files that are run: hidden
// files that end in "rc", and directories that end in ".d".
var allowedNames = []string{
	".condarc", ".curlrc", ".netrc", ".npmrc", ".pypirc", ".terraform.d", ".terraformrc", ".tofurc", ".wgetrc", "private-keys-v1.d",
}

// refusedSuffixes are the suffixes of files with code. Lower case.
var refusedSuffixes = []string{
	"._pth", ".bash", ".cjs", ".class", ".cts", ".desktop", ".dll", ".dylib", ".egg", ".el", ".elc", ".exe", ".exs", ".fish", ".gradle", ".jar", ".js", ".jsx",
	".ksh", ".kts", ".lua", ".mjs", ".mts", ".node", ".phar", ".php", ".phtml", ".pl", ".pm", ".ps1", ".psd1", ".psm1", ".pth", ".py", ".pyc", ".pyd", ".pyo",
	".pyw", ".pyz", ".rb", ".service", ".sh", ".so", ".tcl", ".ts", ".tsx", ".vim", ".war", ".wasm", ".whl", ".zsh", ".zwc",
}

// defaultRoots are where files may be: homes, and directories from which only the
// program itself reads.
var defaultRoots = []string{"~", "/data", "/etc/secrets", "/home", "/mnt", "/root", "/run", "/secrets", "/srv", "/tmp", "/var/secrets"}
