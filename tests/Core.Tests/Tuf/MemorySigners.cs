using System.Security.Cryptography;
using Appliance.Core.Tuf;

namespace Core.Tests.Tuf;

/// <summary>Keys in memory, one or more a role, without the work of passphrases.</summary>
internal sealed class MemorySigners : ISignerSource
{
    public Dictionary<string, List<MemorySigner>> Roles { get; } = [];

    public MemorySigners(params string[] roles)
    {
        foreach (var role in roles) Add(role);
    }

    public MemorySigner Add(string role)
    {
        var signer = new MemorySigner();
        if (!Roles.TryGetValue(role, out var list)) Roles[role] = list = [];
        list.Add(signer);
        return signer;
    }

    public IReadOnlyList<ITufSigner> SignersFor(string role) => Roles.GetValueOrDefault(role) ?? [];
}

internal sealed class MemorySigner : ITufSigner
{
    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    public TufKey Key => TufKey.From(_key);

    public byte[] Sign(ReadOnlySpan<byte> canonical) => _key.SignData(canonical, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
}
