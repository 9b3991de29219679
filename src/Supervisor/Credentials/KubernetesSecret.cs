namespace Appliance.Supervisor.Credentials;

/// <summary>What k3s keeps secret.</summary>
internal enum KubernetesSecret
{
    /// <summary>Certificates of servers and clients; not those of its authorities.</summary>
    Certificates,

    /// <summary>The token by which nodes join.</summary>
    Token,

    /// <summary>The key that secrets are encrypted with in the datastore.</summary>
    EncryptionKey,
}
