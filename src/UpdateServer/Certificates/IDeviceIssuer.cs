using System.Security.Cryptography.X509Certificates;

namespace Appliance.UpdateServer.Certificates;

/// <summary>An authority that issues devices their certificates.</summary>
internal interface IDeviceIssuer
{
    /// <summary>The issuing authority's certificate, and those above it, the root last.</summary>
    IReadOnlyList<X509Certificate2> Chain { get; }

    /// <summary>Issues a certificate.</summary>
    /// <param name="key">The device's public key.</param>
    /// <param name="deviceId">The device's id: the common name.</param>
    /// <param name="from">When it begins.</param>
    /// <param name="until">When it ends.</param>
    X509Certificate2 Issue(PublicKey key, string deviceId, DateTimeOffset from, DateTimeOffset until);
}
