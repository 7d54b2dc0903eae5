package deploy_test

import (
	"bytes"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestManifests(t *testing.T) {
	t.Parallel()
	r, err := render(copyManifests(t))
	require.NoError(t, err)
	require.NoError(t, check(r))
	assert.Equal(t, "registry.example.com/feedmill-microblog:1.0", r.container().Image, "the example sets it")
	assert.NotEmpty(t, r.ingress.Spec.TLS, "browsers speak HTTP/2 only over TLS")
}

// TestMistakesInManifestsAreFound makes one at a time.
func TestMistakesInManifestsAreFound(t *testing.T) {
	t.Parallel()
	for name, mistake := range map[string]struct{ file, old, mistaken, says string }{
		"unknown field":       {"base/deployment.yaml", "periodSeconds: 10", "periodSecond: 10", `unknown field "spec.template.spec.containers[0].livenessProbe.periodSecond"`},
		"field in other case": {"base/service.yaml", "targetPort", "targetport", "unknown field"},
		"wrong type":          {"base/deployment.yaml", "replicas: 3", "replicas: three", "Deployment"},
		"no such file":        {"base/kustomization.yaml", "service.yaml", "services.yaml", "kustomize"},
		"patch of nothing":    {"example/kustomization.yaml", "/spec/rules/0/host", "/spec/rules/7/host", "kustomize"},
		"port of a probe":     {"base/deployment.yaml", "path: /readyz\n              port: http", "path: /readyz\n              port: web", "readiness probe: the container has no port web"},
		"port of the Service": {"base/service.yaml", "targetPort: http", "targetPort: 80", "Service: the container has no port 80"},
		"port of the Ingress": {"base/ingress.yaml", "path: /two, pathType: Exact, backend: {service: {name: microblog, port: {name: http}}}", "path: /two, pathType: Exact, backend: {service: {name: microblog, port: {name: web}}}", "Ingress: /two leads to microblog:web"},
		"selector":            {"base/service.yaml", "selector:\n    app.kubernetes.io/name: microblog", "selector:\n    app.kubernetes.io/name: blog", "Service: selects app.kubernetes.io/name=blog"},
		"no selector":         {"base/poddisruptionbudget.yaml", "  selector:\n    matchLabels:\n      app.kubernetes.io/name: microblog\n", "", "PodDisruptionBudget: selects"},
		"no limit":            {"base/deployment.yaml", "              memory: 256Mi\n          # It listens", "              cpu: 1\n          # It listens", "no limit of memory"},
		"GOMEMLIMIT":          {"base/deployment.yaml", "230MiB", "300MiB", "GOMEMLIMIT: 300MiB"},
		"liveness by servers": {"base/deployment.yaml", "livenessProbe:\n            httpGet:\n              path: /healthz", "livenessProbe:\n            httpGet:\n              path: /readyz", "liveness probe: not by /healthz"},
		"grace period":        {"base/deployment.yaml", "terminationGracePeriodSeconds: 60", "terminationGracePeriodSeconds: 30", "terminationGracePeriodSeconds"},
		"no pause":            {"base/deployment.yaml", "            preStop:\n              sleep:\n                seconds: 10\n", "            {}\n", "preStop"},
		"writable root":       {"base/deployment.yaml", "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "read-only"},
		"name of the Secret":  {"example/kustomization.yaml", "microblog-servers", "servers", "environment: from Secrets [microblog-servers]"},
		"address of a server": {"example/servers.env", "MICROBLOG_NATS_URL", "MICROBLOG_NATS", "Secret: has"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := copyManifests(t)
			text, err := files.ReadFile("/" + mistake.file)
			require.NoError(t, err)
			require.Contains(t, string(text), mistake.old)
			require.NoError(t, files.WriteFile("/"+mistake.file, bytes.Replace(text, []byte(mistake.old), []byte(mistake.mistaken), 1)))
			r, err := render(files)
			if err == nil {
				err = check(r)
			}
			require.ErrorContains(t, err, mistake.says)
		})
	}
}

// TestManifestsSetFlags: each variable is that of a flag, which the help has.
func TestManifestsSetFlags(t *testing.T) {
	t.Parallel()
	r, err := render(copyManifests(t))
	require.NoError(t, err)
	help, err := os.ReadFile(microblog + "/help.txt")
	require.NoError(t, err)
	variables := slices.Concat(slices.Collect(maps.Keys(r.config.Data)), slices.Collect(maps.Keys(r.secret.Data)))
	require.NotEmpty(t, variables)
	for _, variable := range variables {
		name, ours := strings.CutPrefix(variable, "MICROBLOG_")
		assert.True(t, ours, variable)
		assert.Contains(t, string(help), "\n  -"+strings.ReplaceAll(strings.ToLower(name), "_", "-")+" ", variable)
	}
}

// TestIngressPassesThePages, and what their scripts ask for, and nothing else.
func TestIngressPassesThePages(t *testing.T) {
	t.Parallel()
	r, err := render(copyManifests(t))
	require.NoError(t, err)
	router, err := os.ReadFile(microblog + "/web/src/router.ts")
	require.NoError(t, err)
	pages := regexp.MustCompile(`path: '([^']+)', name: '([^']+)'`).FindAllStringSubmatch(string(router), -1)
	require.Greater(t, len(pages), 3)
	for _, page := range pages {
		if page[2] != "not-found" {
			assert.True(t, r.isPublic(regexp.MustCompile(`:\w+`).ReplaceAllString(page[1], "x")), page[1])
		}
	}
	files, err := filepath.Glob(microblog + "/web/public/[^.]*")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		assert.True(t, r.isPublic("/"+path.Base(file)), file)
	}
	for _, asked := range []string{"/api/posts", "/api/streams", "/assets/index.js"} {
		assert.True(t, r.isPublic(asked), asked)
	}
	for _, private := range []string{"/metrics", "/healthz", "/readyz"} {
		assert.False(t, r.isPublic(private), private)
	}
}
