namespace Appliance.Core.Credentials;

/// <summary>What the supervisor calls its own credentials; files of an image have other names.</summary>
public static class CredentialNames
{
    /// <summary>All that the device can change by itself.</summary>
    public const string All = "all";

    /// <summary>By what the device is known to its fleet's server.</summary>
    public const string DeviceCertificate = "device-certificate";

    /// <summary>By what the device knows its fleet's server.</summary>
    public const string ServerAuthority = "server-authority";

    /// <summary>What the status page shows.</summary>
    public const string PageCertificate = "page-certificate";

    /// <summary>By what the owner logs in.</summary>
    public const string OwnerPassword = "owner-password";

    /// <summary>Whose certificates log in.</summary>
    public const string LogInAuthority = "log-in-authority";

    /// <summary>By what SSH clients know the machine.</summary>
    public const string SshHostKey = "ssh-host-key";

    /// <summary>By what people log in over SSH.</summary>
    public const string SshAuthorizedKeys = "ssh-authorized-keys";

    /// <summary>Certificates of Kubernetes.</summary>
    public const string KubernetesCertificates = "k3s-certificates";

    /// <summary>By what nodes join.</summary>
    public const string KubernetesToken = "k3s-token";

    /// <summary>What secrets are encrypted with in the datastore.</summary>
    public const string KubernetesEncryptionKey = "k3s-encryption-key";

    /// <summary>Log-ins to registries.</summary>
    public const string Registry = "registry";

    /// <summary>All of them.</summary>
    public static readonly IReadOnlyList<string> Reserved = [All, DeviceCertificate, ServerAuthority, PageCertificate, OwnerPassword, LogInAuthority, SshHostKey, SshAuthorizedKeys, KubernetesCertificates, KubernetesToken, KubernetesEncryptionKey, Registry];
}
