using System.Security.Cryptography;
using System.Text;
using Appliance.Core.Workloads;

namespace Core.Tests.Workloads;

/// <summary>Which images run: signatures as cosign makes them, over the manifest or the index that names it.</summary>
public sealed class SignaturePolicyTests : IDisposable
{
    private const string Config = "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc";
    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly byte[] _manifest = Encoding.UTF8.GetBytes($$"""{"schemaVersion":2,"config":{"digest":"{{Config}}"},"layers":[]}""");

    public void Dispose() => _key.Dispose();

    private string Source => OciDigest.Of(_manifest);

    private SignaturePolicy Policy(string? images = "example.org/*") => new() { Rules = [new SignatureRule { Images = images!, Key = _key.ExportSubjectPublicKeyInfoPem() }] };

    private ImageSignature Sign(string digest, string type = "cosign container image signature", ECDsa? by = null)
    {
        var payload = Encoding.UTF8.GetBytes($$$"""{"critical":{"identity":{"docker-reference":"example.org/shop/web"},"image":{"docker-manifest-digest":"{{{digest}}}"},"type":"{{{type}}}"},"optional":null}""");
        return new ImageSignature { Payload = payload, Signature = (by ?? _key).SignData(payload, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence) };
    }

    private WorkloadRelease Release(ImageProof? proof, string config = Config, string? source = null) => new()
    {
        Format = 1,
        Id = "shop",
        Version = "1",
        Architecture = "amd64",
        Objects = [],
        Images = [new WorkloadImage { Reference = "example.org/shop/web:1", Pinned = "", Manifest = "", Source = source ?? Source, Config = config, Proof = proof }],
    };

    private ImageProof Proof(params ImageSignature[] signatures) => new() { Manifest = _manifest, Signatures = signatures };

    [Fact]
    public void FindFaults_ASignatureOfTheManifest_IsEnough() => Assert.Empty(Policy().FindFaults(Release(Proof(Sign(OciDigest.Of([])), Sign(Source)))));

    [Fact]
    public void FindFaults_ASignatureOfTheIndexThatNamesIt_IsEnough()
    {
        var index = Encoding.UTF8.GetBytes($$"""{"manifests":[{"digest":"{{Config}}"},{"digest":"{{Source}}"}]}""");

        Assert.Empty(Policy().FindFaults(Release(Proof(Sign(OciDigest.Of(index))) with { Index = index })));
        var other = Encoding.UTF8.GetBytes($$"""{"manifests":[{"digest":"{{Config}}"}]}""");
        Assert.NotEmpty(Policy().FindFaults(Release(Proof(Sign(OciDigest.Of(other))) with { Index = other })));
    }

    [Fact]
    public void FindFaults_WithoutRules_AsksForNothing() => Assert.Empty(new SignaturePolicy().FindFaults(Release(null)));

    [Fact]
    public void FindFaults_ARuleWithoutAKey_LetsTheReleaseVouch()
    {
        Assert.Empty(new SignaturePolicy { Rules = [new SignatureRule { Images = "*" }] }.FindFaults(Release(null)));
        Assert.Equal(["example.org/shop/web:1: no rule allows it"], new SignaturePolicy { Rules = [new SignatureRule { Images = "example.com/*" }] }.FindFaults(Release(null)));
    }

    [Fact]
    public void FindFaults_WhateverElse_IsRefused()
    {
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var changed = Sign(Source);
        changed.Payload[^3] ^= 1;

        Assert.Contains("carries no signature", Fault(null), StringComparison.Ordinal);
        Assert.Contains("none of its 0", Fault(Proof()), StringComparison.Ordinal);
        Assert.Contains("none of its 1", Fault(Proof(Sign(Source, by: other))), StringComparison.Ordinal);
        Assert.Contains("none of its 1", Fault(Proof(changed)), StringComparison.Ordinal);
        Assert.Contains("none of its 1", Fault(Proof(Sign(Source, type: "something else"))), StringComparison.Ordinal);
        Assert.Contains("none of its 1", Fault(Proof(Sign(Config))), StringComparison.Ordinal);
        Assert.Contains("another image", Fault(Proof(Sign(Source)) with { Manifest = [.. _manifest, (byte)' '] }), StringComparison.Ordinal);
        Assert.Contains("another configuration", Assert.Single(Policy().FindFaults(Release(Proof(Sign(Source)), config: Source))), StringComparison.Ordinal);
        Assert.Contains("cannot be read", Assert.Single(Policy().FindFaults(Release(new ImageProof { Manifest = [1], Signatures = [] }, source: OciDigest.Of([1])))), StringComparison.Ordinal);

        string Fault(ImageProof? proof) => Assert.Single(Policy().FindFaults(Release(proof)));
    }

    [Fact]
    public void ReadKey_TakesWhatCosignMakes_AndNoPrivateKey()
    {
        using var rsa = RSA.Create(2048);
        using var other = ECDsa.Create(ECCurve.NamedCurves.brainpoolP256r1);
        var pem = _key.ExportSubjectPublicKeyInfoPem();

        Assert.Equal(pem, SignatureRule.ReadKey("a comment\n" + pem + "\n"));
        foreach (var text in new[] { "no key", "", rsa.ExportSubjectPublicKeyInfoPem(), other.ExportSubjectPublicKeyInfoPem(), _key.ExportECPrivateKeyPem(), _key.ExportPkcs8PrivateKeyPem() })
            Assert.Throws<InvalidDataException>(() => SignatureRule.ReadKey(text));
    }
}
