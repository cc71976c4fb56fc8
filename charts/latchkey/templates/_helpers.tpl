{{/* Labels of every object. Takes a dict of root and, if there is one, component. */}}
{{- define "latchkey.labels" -}}
app.kubernetes.io/name: latchkey
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Labels that select pods. Takes a component. */}}
{{- define "latchkey.selector" -}}
app.kubernetes.io/name: latchkey
app.kubernetes.io/component: {{ . }}
{{- end }}

{{- define "latchkey.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{/* Flags of both processes that differ from the program's own defaults. */}}
{{- define "latchkey.commonArgs" -}}
- --namespace=$(POD_NAMESPACE)
{{- with .Values.tenantNamespaces }}
- --tenant-namespaces={{ join "," . }}
{{- end }}
{{- with .Values.log }}
{{- if .verbosity }}
- --v={{ int .verbosity }}
{{- end }}
{{- if ne .format "text" }}
- --log-format={{ .format }}
{{- end }}
{{- end }}
{{- range $flag, $value := dict
  "user-max-secrets" .Values.limits.user.maxSecrets
  "user-max-value-bytes" .Values.limits.user.maxValueBytes
  "user-max-env-value-bytes" .Values.limits.user.maxEnvValueBytes
  "agent-max-secrets" .Values.limits.agent.maxSecrets
  "agent-max-value-bytes" .Values.limits.agent.maxValueBytes
  "agent-max-total-value-bytes" .Values.limits.agent.maxTotalValueBytes }}
{{- if $value }}
- --{{ $flag }}={{ int64 $value }}
{{- end }}
{{- end }}
{{- range $flag, $value := dict
  "file-roots" .Values.projection.fileRoots
  "refused-variables" .Values.projection.refusedVariables
  "allowed-variables" .Values.projection.allowedVariables }}
{{- with $value }}
- --{{ $flag }}={{ join "," . }}
{{- end }}
{{- end }}
{{- end }}

{{/* The part that pods of both Deployments have in common. Takes a dict of root, component and values. */}}
{{- define "latchkey.podSpec" -}}
serviceAccountName: latchkey-{{ .component }}
automountServiceAccountToken: true
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.priorityClass.name }}
priorityClassName: {{ . }}
{{- end }}
securityContext:
  {{- include "latchkey.podSecurityContext" . | nindent 2 }}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
affinity:
  {{- if .values.affinity }}
  {{- toYaml .values.affinity | nindent 2 }}
  {{- else }}
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels:
              {{- include "latchkey.selector" .component | nindent 14 }}
  {{- end }}
topologySpreadConstraints:
  {{- if .values.topologySpreadConstraints }}
  {{- toYaml .values.topologySpreadConstraints | nindent 2 }}
  {{- else }}
  - maxSkew: 1
    topologyKey: topology.kubernetes.io/zone
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "latchkey.selector" .component | nindent 8 }}
  {{- end }}
{{- end }}

{{- define "latchkey.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "latchkey.containerSecurityContext" -}}
allowPrivilegeEscalation: false
privileged: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "latchkey.probes" -}}
livenessProbe:
  httpGet:
    path: /livez
    port: health
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet:
    path: /readyz
    port: health
  periodSeconds: 5
  timeoutSeconds: 5
{{- end }}

{{/* The annotation by which cert-manager injects the CA. */}}
{{- define "latchkey.injectCA" -}}
{{- if .Values.certificates.certManager.enabled }}
cert-manager.io/inject-ca-from: {{ .Release.Namespace }}/latchkey-server
{{- end }}
{{- end }}

{{/* Gives a role to a service account. Takes a dict of root, kind and name of the role, account, and namespace for a
     Role. */}}
{{- define "latchkey.binding" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .kind }}Binding
metadata:
  name: {{ .name }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- include "latchkey.labels" (dict "root" .root) | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ .kind }}
  name: {{ .name }}
subjects:
  - kind: ServiceAccount
    name: latchkey-{{ .account }}
    namespace: {{ .root.Release.Namespace }}
{{- end }}

{{/* The annotations that make an object part of uninstalling only. Takes its weight. */}}
{{- define "latchkey.hook" -}}
helm.sh/hook: pre-delete
helm.sh/hook-weight: {{ . | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}
