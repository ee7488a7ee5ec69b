{{- define "baton.name" -}}
baton-operator
{{- end }}

{{- define "baton.selectorLabels" -}}
app.kubernetes.io/name: baton
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end }}

{{- define "baton.labels" -}}
{{ include "baton.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "baton.checkLabels" -}}
{{ include "baton.labels" . | replace "component: operator" "component: check" }}
{{- end }}

{{- define "baton.environment" -}}
- {name: BATON_SERVICE, value: {{ include "baton.name" . }}}
- {name: BATON_LEASE, value: {{ include "baton.name" . }}}
- {name: BATON_WEBHOOK_SECRET, value: {{ include "baton.name" . }}-webhook}
- {name: BATON_WEBHOOK_CONFIGURATION, value: {{ include "baton.name" . }}}
- {name: BATON_IDENTITY_SECRET, value: {{ include "baton.name" . }}-identity}
{{- end }}
