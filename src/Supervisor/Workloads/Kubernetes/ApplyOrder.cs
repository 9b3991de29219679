using Appliance.Core.Workloads;

namespace Appliance.Supervisor.Workloads.Kubernetes;

/// <summary>In which order objects are applied: what others need comes first. They are deleted the other way round.</summary>
internal static class ApplyOrder
{
    /// <summary>The wave of custom objects: their definitions are there, and so are the workloads that look after them.</summary>
    public const int Last = 6;

    private static readonly string[][] Waves =
    [
        ["Namespace", "CustomResourceDefinition", "PriorityClass", "StorageClass", "RuntimeClass", "IngressClass"],
        ["ServiceAccount", "ClusterRole", "Role", "ClusterRoleBinding", "RoleBinding", "ResourceQuota", "LimitRange", "NetworkPolicy", "PodDisruptionBudget"],
        ["ConfigMap", "Secret", "PersistentVolume", "PersistentVolumeClaim"],
        ["Service", "Endpoints", "EndpointSlice"],
        ["Pod", "PodTemplate", "ReplicationController", "ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "HorizontalPodAutoscaler"],
        ["Ingress", "APIService"],
    ];

    /// <summary>Webhooks come after what serves them, or nothing at all can be applied any more.</summary>
    private static readonly string[] Webhooks = ["ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"];

    /// <summary>The wave of an object, from 0.</summary>
    public static int WaveOf(ObjectIdentity identity)
    {
        if (Webhooks.Contains(identity.Kind)) return Last + 1;
        var wave = Array.FindIndex(Waves, kinds => kinds.Contains(identity.Kind));
        return wave >= 0 && IsBuiltIn(identity.Group) ? wave : Last;
    }

    private static bool IsBuiltIn(string group) => !group.Contains('.') || group.EndsWith(".k8s.io", StringComparison.Ordinal);
}
