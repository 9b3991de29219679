using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Appliance.Core.Workloads;

/// <summary>
/// Which images a device runs: with rules every image must fall under one, and carry the signature that the first one asks for.
/// Without, the signature of the release is enough, which vouches for all that is in it.
/// </summary>
/// <remarks>Set, not init: the source-generated reader would give init members that a file lacks no default.</remarks>
public sealed record SignaturePolicy
{
    /// <summary>Path of the policy in the image.</summary>
    public const string SettingsPath = "/usr/lib/appliance/image-policy.json";

    private const string PayloadType = "cosign container image signature";

    /// <summary>The rules; the first that an image falls under counts.</summary>
    public IReadOnlyList<SignatureRule> Rules { get; set; } = [];

    /// <summary>The rule of an image, or null.</summary>
    public SignatureRule? RuleOf(ImageReference image) => Rules.FirstOrDefault(rule => rule.IsAbout(image));

    /// <summary>What keeps the images of a release from being run; empty when nothing does.</summary>
    public IReadOnlyList<string> FindFaults(WorkloadRelease release) =>
        [.. release.Images.Select(image => (image.Reference, Fault: FindFault(image))).Where(found => found.Fault is not null).Select(found => $"{found.Reference}: {found.Fault}")];

    /// <summary>What keeps an image from being run, or null.</summary>
    public string? FindFault(WorkloadImage image)
    {
        if (Rules.Count == 0) return null;
        if (RuleOf(ImageReference.TryParse(image.Reference)!) is not { } rule) return "no rule allows it";
        if (rule.Key is not { } pem) return null;
        if (image.Proof is not { } proof) return "it carries no signature";
        try
        {
            if (OciDigest.Of(proof.Manifest) != image.Source) return "its proof is about another image";
            if ((string?)JsonNode.Parse(proof.Manifest)?["config"]?["digest"] != image.Config) return "what was signed has another configuration";
            var signed = new List<string> { image.Source };
            if (proof.Index is { } index && ImageProof.IsIndexOf(index, image.Source)) signed.Add(OciDigest.Of(index));
            using var key = ECDsa.Create();
            key.ImportFromPem(pem);
            return proof.Signatures.Any(signature => key.VerifyData(signature.Payload, signature.Signature, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence) && IsAbout(signature, signed))
                ? null : $"none of its {proof.Signatures.Count} signatures is by the key for {rule.Images}";
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or CryptographicException or ArgumentException)
        {
            return $"its proof cannot be read: {e.Message}";
        }
    }

    private static bool IsAbout(ImageSignature signature, List<string> digests)
    {
        var critical = JsonNode.Parse(signature.Payload)?["critical"];
        return (string?)critical?["type"] == PayloadType && (string?)critical["image"]?["docker-manifest-digest"] is { } digest && digests.Contains(digest);
    }
}
