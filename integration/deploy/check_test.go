package deploy_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// What the manifests have to give time for, in seconds.
const (
	startTime = 60 // stack.Config.StartTimeout: no port is open meanwhile
	readyTime = 3  // App.Ready
	// stopTime is the longest stop: the router (5), the HTTP server (10), the relay (10), the projections (10), the traces (5).
	stopTime = 40
)

// problems are what is wrong with manifests.
type problems []error

func (p *problems) check(ok bool, format string, args ...any) {
	if !ok {
		*p = append(*p, fmt.Errorf(format, args...))
	}
}

// check returns what is wrong with manifests that Kubernetes takes.
func check(r *resources) error {
	var p problems
	p.selectors(r)
	p.ports(r)
	p.probes(r.container())
	p.stopping(r)
	p.memory(r.container())
	p.rights(r)
	p.environment(r)
	return errors.Join(p...)
}

// selectors: each selects the pods of the Deployment.
func (p *problems) selectors(r *resources) {
	pod := labels.Set(r.deployment.Spec.Template.Labels)
	selectors := map[string]*metav1.LabelSelector{
		"Deployment": r.deployment.Spec.Selector, "PodDisruptionBudget": r.budget.Spec.Selector,
		"Service": {MatchLabels: r.service.Spec.Selector},
	}
	for _, spread := range r.pod().TopologySpreadConstraints {
		selectors["spread over "+spread.TopologyKey] = spread.LabelSelector
	}
	for name, selector := range selectors {
		selects, err := metav1.LabelSelectorAsSelector(selector)
		p.check(err == nil && !selects.Empty() && selects.Matches(pod), "%s: selects %v, which the pods (%v) are not", name, selects, pod)
	}
}

// ports: from the Ingress by the Service to the container, and of the probes and of Prometheus.
func (p *problems) ports(r *resources) {
	service := r.service.Spec.Ports[0]
	p.check(r.hasPort(service.TargetPort.String()), "Service: the container has no port %s", service.TargetPort.String())
	for _, public := range r.paths() {
		backend := public.Backend.Service
		p.check(backend.Name == r.service.Name && backend.Port.Name == service.Name,
			"Ingress: %s leads to %s:%s, which is no Service", public.Path, backend.Name, backend.Port.Name)
	}
	for name, probe := range probesOf(r.container()) {
		if probe != nil && probe.HTTPGet != nil {
			port := probe.HTTPGet.Port.String()
			p.check(r.hasPort(port), "%s probe: the container has no port %s", name, port)
		}
	}
	scraped := r.deployment.Spec.Template.Annotations["prometheus.io/port"]
	p.check(r.hasPort(scraped), "Prometheus: the container has no port %s", scraped)
}

// hasPort reports whether the container has a port of that name or number.
func (r *resources) hasPort(nameOrNumber string) bool {
	return slices.ContainsFunc(r.container().Ports, func(c corev1.ContainerPort) bool {
		return c.Name == nameOrNumber || strconv.Itoa(int(c.ContainerPort)) == nameOrNumber
	})
}

// paths returns what the Ingress makes public.
func (r *resources) paths() (paths []networkingv1.HTTPIngressPath) {
	for _, rule := range r.ingress.Spec.Rules {
		paths = append(paths, rule.HTTP.Paths...)
	}
	return paths
}

// isPublic reports whether the Ingress passes a path on.
func (r *resources) isPublic(path string) bool {
	return slices.ContainsFunc(r.paths(), func(public networkingv1.HTTPIngressPath) bool {
		return path == public.Path ||
			*public.PathType == networkingv1.PathTypePrefix && strings.HasPrefix(path, strings.TrimSuffix(public.Path, "/")+"/")
	})
}

func probesOf(c *corev1.Container) map[string]*corev1.Probe {
	return map[string]*corev1.Probe{"startup": c.StartupProbe, "liveness": c.LivenessProbe, "readiness": c.ReadinessProbe}
}

// probes: an instance has time to start and to say that it is not ready, and is not restarted because a server is away.
func (p *problems) probes(c *corev1.Container) {
	for name, probe := range probesOf(c) {
		want := map[bool]string{true: "/readyz", false: "/healthz"}[name == "readiness"]
		p.check(probe != nil && probe.HTTPGet != nil && probe.HTTPGet.Path == want, "%s probe: not by %s", name, want)
	}
	if c.StartupProbe != nil {
		p.check(c.StartupProbe.PeriodSeconds*c.StartupProbe.FailureThreshold > startTime, "startup probe: gives up before the server does")
	}
	if c.ReadinessProbe != nil {
		p.check(c.ReadinessProbe.TimeoutSeconds > readyTime, "readiness probe: gives up before /readyz answers")
	}
}

// stopping: no instance ends before another serves, and before nobody is sent to it.
func (p *problems) stopping(r *resources) {
	rolling := r.deployment.Spec.Strategy.RollingUpdate
	p.check(rolling != nil && rolling.MaxUnavailable != nil && rolling.MaxUnavailable.String() == "0", "rolling update: maxUnavailable is not 0")
	p.check(*r.deployment.Spec.Replicas > 1, "replicas: one cannot be replaced without a gap")
	p.check(r.budget.Spec.MaxUnavailable != nil && r.budget.Spec.MaxUnavailable.String() == "1", "PodDisruptionBudget: maxUnavailable is not 1")
	hook := r.container().Lifecycle
	if hook == nil || hook.PreStop == nil || hook.PreStop.Sleep == nil {
		p.check(false, "preStop: requests still come when the server stops")
		return
	}
	grace := r.pod().TerminationGracePeriodSeconds
	p.check(grace != nil && *grace >= hook.PreStop.Sleep.Seconds+stopTime, "terminationGracePeriodSeconds: less than preStop and a stop")
}

// memory: it is limited, and Go knows.
func (p *problems) memory(c *corev1.Container) {
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		p.check(!c.Resources.Requests.Name(name, resource.DecimalSI).IsZero(), "resources: no request of %s", name)
	}
	limit := c.Resources.Limits.Memory().AsApproximateFloat64()
	p.check(limit > 0, "resources: no limit of memory")
	for _, variable := range c.Env {
		if variable.Name == "GOMEMLIMIT" {
			told, err := resource.ParseQuantity(strings.TrimSuffix(variable.Value, "B"))
			share := told.AsApproximateFloat64() / max(limit, 1)
			p.check(err == nil && share > 0.8 && share < 0.95, "GOMEMLIMIT: %s of a limit of %.0f bytes", variable.Value, limit)
			return
		}
	}
	p.check(false, "GOMEMLIMIT: Go does not know the limit of memory")
}

// rights: none that the server does not use.
func (p *problems) rights(r *resources) {
	is := func(b *bool, want bool) bool { return b != nil && *b == want }
	p.check(is(r.pod().AutomountServiceAccountToken, false), "the pod has a token of Kubernetes")
	p.check(is(r.pod().EnableServiceLinks, false), "Services of the namespace set variables")
	pod, container := r.pod().SecurityContext, r.container().SecurityContext
	if pod == nil || container == nil || container.Capabilities == nil {
		p.check(false, "securityContext: missing")
		return
	}
	p.check(is(pod.RunAsNonRoot, true) && pod.RunAsUser != nil && *pod.RunAsUser > 0, "securityContext: runs as root")
	p.check(pod.SeccompProfile != nil && pod.SeccompProfile.Type == corev1.SeccompProfileTypeRuntimeDefault, "securityContext: no seccomp profile")
	p.check(is(container.AllowPrivilegeEscalation, false) && is(container.Privileged, false), "securityContext: privileges")
	p.check(is(container.ReadOnlyRootFilesystem, true), "securityContext: the root is not read-only")
	p.check(slices.Equal(container.Capabilities.Drop, []corev1.Capability{"ALL"}), "securityContext: has capabilities")
	_, tag, tagged := strings.Cut(r.container().Image, ":")
	p.check(tagged && tag != "latest", "image: %s has no version", r.container().Image)
}

// environment: the container has the ConfigMap and the Secret, whose variables name the servers.
func (p *problems) environment(r *resources) {
	var configs, secrets []string
	for _, from := range r.container().EnvFrom {
		if from.ConfigMapRef != nil {
			configs = append(configs, from.ConfigMapRef.Name)
		}
		if from.SecretRef != nil {
			secrets = append(secrets, from.SecretRef.Name)
		}
	}
	p.check(slices.Equal(configs, []string{r.config.Name}), "environment: from ConfigMaps %v, but there is %s", configs, r.config.Name)
	p.check(slices.Equal(secrets, []string{r.secret.Name}), "environment: from Secrets %v, but there is %s", secrets, r.secret.Name)
	named := slices.Sorted(maps.Keys(r.secret.Data))
	want := []string{"MICROBLOG_MONGO_URI", "MICROBLOG_MYSQL_DSN", "MICROBLOG_NATS_URL"}
	p.check(slices.Equal(named, want), "Secret: has %v, not %v", named, want)
}
