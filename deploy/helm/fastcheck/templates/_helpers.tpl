{{- define "fastcheck.fullname" -}}
{{- .Values.fullnameOverride | default .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "fastcheck.labels" -}}
app.kubernetes.io/name: fastcheck
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- /* Labels that select the pods of one process: list of the root and the name of the process. */ -}}
{{- define "fastcheck.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: fastcheck
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "fastcheck.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- /* The processes to deploy, as {"list": […]}: without the sandbox bank unless it is enabled. */ -}}
{{- define "fastcheck.processes" -}}
{{- $system := .Files.Get "files/system.yaml" | fromYaml -}}
{{- $list := list -}}
{{- range $process := $system.processes -}}
{{- $owner := index $system.owners $process.owner -}}
{{- if or $.Values.sandboxBank.enabled (not $owner.sandbox) -}}
{{- $settings := mergeOverwrite (deepCopy (index $.Values.roles $process.role)) (index $.Values.processes $process.name | default dict) -}}
{{- if not $process.replicated -}}{{- $_ := set $settings "replicas" 1 -}}{{- $_ := unset $settings "hpa" -}}{{- end -}}
{{- $list = append $list (merge (dict "settings" $settings "sandbox" $owner.sandbox) $process) -}}
{{- end -}}
{{- end -}}
{{- dict "list" $list | toYaml -}}
{{- end -}}

{{- /* The name of the Secret of an owner: list of the root and the owner. */ -}}
{{- define "fastcheck.secretName" -}}
{{- $root := index . 0 -}}{{- $owner := index . 1 -}}
{{- if $root.Values.secrets.create -}}
{{ include "fastcheck.fullname" $root }}-{{ $owner | replace "_" "-" }}
{{- else -}}
{{ index $root.Values.secrets.existingOf $owner | default $root.Values.secrets.existing }}
{{- end -}}
{{- end -}}

{{- /* One variable from a Secret: dict of root, owner, name, optional. Servers of the release bring some themselves. */ -}}
{{- define "fastcheck.secretVariable" -}}
{{- $root := .root -}}
- name: {{ .name }}
  valueFrom:
    secretKeyRef:
    {{- if and (eq .name "FASTCHECK_ADMINISTRATOR_DATABASE_URL") (eq $root.Values.postgres.mode "cloudnativepg") }}
      name: {{ include "fastcheck.fullname" $root }}-postgres-superuser
      key: uri
    {{- else if and (eq .name "FASTCHECK_BROKER_URL") (eq $root.Values.broker.mode "rabbitmq") $root.Values.broker.rabbitmq.useDefaultUser }}
      name: {{ include "fastcheck.fullname" $root }}-rabbitmq-default-user
      key: connection_string
    {{- else }}
      name: {{ include "fastcheck.secretName" (list $root .owner) }}
      key: {{ .name }}
      {{- if .optional }}
      optional: true
      {{- end }}
    {{- end }}
{{- end -}}

{{- define "fastcheck.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- /* The part of a pod that processes and jobs share. */ -}}
{{- define "fastcheck.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  # The user of the image.
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{- /* The data of the ConfigMap of an owner: dict of root, owner. Fails on a variable that must be set. */ -}}
{{- define "fastcheck.config" -}}
{{- $root := .root -}}
{{- $system := $root.Files.Get "files/system.yaml" | fromYaml -}}
{{- $entry := index $system.owners .owner -}}
{{- $own := index $root.Values.configOf .owner | default dict -}}
{{- $given := merge (deepCopy $own) $root.Values.config -}}
{{- $urls := dict -}}
{{- range $process := $system.processes -}}
{{- if eq $process.role "web" -}}
{{- $_ := set $urls (printf "FASTCHECK_%s_URL" (upper $process.owner)) (printf "http://%s-%s:%v" (include "fastcheck.fullname" $root) $process.name $system.ports.web) -}}
{{- end -}}
{{- end -}}
{{- $data := dict "FASTCHECK_METRICS_PORT" ($system.ports.operator | toString) "FASTCHECK_METRICS_HOST" "0.0.0.0" -}}
{{- range $name := concat $entry.config (keys $own) | uniq | sortAlpha -}}
{{- $value := index $given $name | default "" | toString -}}
{{- if $value -}}
{{- $_ := set $data $name (tpl $value $root) -}}
{{- else if hasKey $urls $name -}}
{{- $_ := set $data $name (index $urls $name) -}}
{{- else if eq $name "FASTCHECK_AUDIT_HEAD_FILE" -}}
{{- $_ := set $data $name "/var/lib/fastcheck/chain-head" -}}
{{- else if not (has $name $entry.optional) -}}
{{- fail (printf "config.%s is required: %s reads it" $name $.owner) -}}
{{- end -}}
{{- end -}}
{{- toYaml $data -}}
{{- end -}}

{{- /* A peer of a NetworkPolicy: the pods of one process, as list of the root and its name. */ -}}
{{- define "fastcheck.peer" -}}
- podSelector:
    matchLabels: {{- include "fastcheck.selector" . | nindent 6 }}
{{- end -}}

{{- define "fastcheck.postgresPeers" -}}
{{- if eq .Values.postgres.mode "cloudnativepg" -}}
- podSelector:
    matchLabels: {cnpg.io/cluster: {{ include "fastcheck.fullname" . }}-postgres}
{{- else -}}
{{- include "fastcheck.cidrs" (dict "cidrs" .Values.postgres.cidrs "key" "postgres.cidrs") -}}
{{- end -}}
{{- end -}}

{{- define "fastcheck.valkeyPeer" -}}
{{- include "fastcheck.peer" (list . "valkey") -}}
{{- end -}}

{{- define "fastcheck.brokerPeers" -}}
{{- if eq .Values.broker.mode "rabbitmq" -}}
- podSelector:
    matchLabels: {app.kubernetes.io/name: {{ include "fastcheck.fullname" . }}-rabbitmq}
{{- else if eq .Values.broker.mode "valkey" -}}
{{- include "fastcheck.valkeyPeer" . -}}
{{- else -}}
{{- include "fastcheck.cidrs" (dict "cidrs" .Values.broker.cidrs "key" "broker.cidrs") -}}
{{- end -}}
{{- end -}}

{{- define "fastcheck.cachePeers" -}}
{{- if eq .Values.cache.mode "valkey" -}}
{{- include "fastcheck.valkeyPeer" . -}}
{{- else -}}
{{- include "fastcheck.cidrs" (dict "cidrs" .Values.cache.cidrs "key" "cache.cidrs") -}}
{{- end -}}
{{- end -}}

{{- define "fastcheck.brokerPort" -}}
{{- if eq .Values.broker.mode "rabbitmq" -}}5672{{- else if eq .Values.broker.mode "valkey" -}}6379{{- else -}}{{ .Values.broker.port }}{{- end -}}
{{- end -}}

{{- define "fastcheck.cidrs" -}}
{{- if not .cidrs -}}{{- fail (printf "%s is required for the NetworkPolicies: the networks of the external server" .key) -}}{{- end -}}
{{- range .cidrs }}
- ipBlock: {cidr: {{ . | quote }}}
{{- end -}}
{{- end -}}
