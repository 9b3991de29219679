using System.Security.Cryptography.X509Certificates;

namespace Appliance.Supervisor.Credentials;

/// <summary>
/// The certificates that k3s renews: those that <c>k3s certificate rotate</c> removes (pkg/util/services of k3s), so that they are made
/// anew at the next start. What else lies beside them, from a version before or of Kubernetes' own making, is renewed by nobody.
/// </summary>
internal static class KubernetesCertificates
{
    private static readonly string[] OfServer =
    [
        "client-admin", "client-auth-proxy", "client-controller", "client-k3s-cloud-controller", "client-k3s-controller", "client-kube-apiserver",
        "client-kube-proxy", "client-scheduler", "client-supervisor", "serving-kube-apiserver", "etcd/client", "etcd/peer-server-client", "etcd/server-client",
    ];

    private static readonly string[] OfNode = ["client-k3s-controller", "client-kube-proxy", "client-kubelet", "serving-kubelet"];

    /// <summary>Those of a server, by name.</summary>
    /// <param name="folder">Its folder <c>server/tls</c>, or a copy.</param>
    public static IReadOnlyDictionary<string, KubernetesCertificate> ReadServer(string folder) => Read(folder, OfServer);

    /// <summary>Those of a node, by name.</summary>
    /// <param name="folder">Its folder <c>agent</c>.</param>
    public static IReadOnlyDictionary<string, KubernetesCertificate> ReadNode(string folder) => Read(folder, OfNode);

    private static Dictionary<string, KubernetesCertificate> Read(string folder, string[] names) =>
        names.Select(name => (Name: name, Path: Path.Combine(folder, $"{name}.crt"))).Where(known => File.Exists(known.Path)).ToDictionary(known => known.Name, known => Read(known.Path));

    private static KubernetesCertificate Read(string path)
    {
        using var certificate = X509Certificate2.CreateFromPem(File.ReadAllText(path)); // its authorities follow it
        return new KubernetesCertificate(certificate.Thumbprint, File.GetLastWriteTimeUtc(path), certificate.NotAfter.ToUniversalTime());
    }
}
