namespace Appliance.Core.Tuf;

/// <summary>A private key that signs metadata: a file here, a token or a service (PKCS#11, KMS) elsewhere.</summary>
public interface ITufSigner
{
    /// <summary>The public key.</summary>
    TufKey Key { get; }

    /// <summary>Signs canonical metadata; for <c>ecdsa-sha2-nistp256</c> the result is a DER signature over its SHA-256.</summary>
    /// <exception cref="UserError">The key cannot be used: wrong passphrase, token not there.</exception>
    byte[] Sign(ReadOnlySpan<byte> canonical);
}
