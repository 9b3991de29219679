namespace Appliance.Core.Workloads;

/// <summary>
/// A signature of a container image in cosign's classic form (sigstore/cosign, SIGNATURE_SPEC.md): a signed document that names the
/// digest of a manifest.
/// </summary>
public sealed record ImageSignature
{
    /// <summary>The signed document, byte for byte: "simple signing" JSON.</summary>
    public required byte[] Payload { get; init; }

    /// <summary>ECDSA with SHA-256 over it, in DER.</summary>
    public required byte[] Signature { get; init; }
}
