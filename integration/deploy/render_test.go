package deploy_test

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/json"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// resources are what kustomize renders.
type resources struct {
	deployment appsv1.Deployment
	service    corev1.Service
	ingress    networkingv1.Ingress
	budget     policyv1.PodDisruptionBudget
	config     corev1.ConfigMap
	secret     corev1.Secret
}

func (r *resources) pod() *corev1.PodSpec { return &r.deployment.Spec.Template.Spec }

func (r *resources) container() *corev1.Container { return &r.pod().Containers[0] }

// copyManifests returns the manifests in memory, where a test can change them.
func copyManifests(t *testing.T) filesys.FileSystem {
	t.Helper()
	files := filesys.MakeFsInMemory()
	found, err := filepath.Glob(manifests + "/*/*")
	require.NoError(t, err)
	require.NotEmpty(t, found)
	for _, file := range found {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		name, err := filepath.Rel(manifests, file)
		require.NoError(t, err)
		require.NoError(t, files.WriteFile(path.Join("/", filepath.ToSlash(name)), text))
	}
	return files
}

// render returns what kustomize makes of the example. Kubernetes would refuse, or ignore, what is an error here: unknown
// fields, fields in other case, fields that are there twice.
func render(files filesys.FileSystem) (*resources, error) {
	rendered, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(files, "/example")
	if err != nil {
		return nil, fmt.Errorf("kustomize: %w", err)
	}
	var r resources
	into := map[string]any{
		"Deployment": &r.deployment, "Service": &r.service, "Ingress": &r.ingress,
		"PodDisruptionBudget": &r.budget, "ConfigMap": &r.config, "Secret": &r.secret,
	}
	for _, resource := range rendered.Resources() {
		kind := resource.GetKind()
		target, expected := into[kind]
		if !expected {
			return nil, fmt.Errorf("%s: not checked, or there twice", kind)
		}
		delete(into, kind)
		encoded, err := resource.MarshalJSON()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", kind, err)
		}
		strict, err := json.UnmarshalStrict(encoded, target)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", kind, err)
		}
		if len(strict) > 0 {
			return nil, fmt.Errorf("%s: %v", kind, strict)
		}
	}
	if len(into) > 0 {
		return nil, fmt.Errorf("missing: %v", into)
	}
	if n := len(r.pod().Containers); n != 1 {
		return nil, fmt.Errorf("%d containers", n)
	}
	return &r, nil
}
