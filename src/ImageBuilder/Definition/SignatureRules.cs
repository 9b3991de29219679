using System.Text;
using Appliance.Core;
using Appliance.Core.Workloads;
using Appliance.Core.Yaml;

namespace Appliance.ImageBuilder.Definition;

/// <summary>Which container images must be signed, as definitions of images and of workloads say it.</summary>
internal static class SignatureRules
{
    /// <summary>Name of the key that lists them.</summary>
    public const string Key = "signatures";

    private const int LargestKey = 16 << 10;

    private static readonly MappingShape Rule = new("a mapping with images and key",
        [
            new("images", new TextShape("a repository such as docker.io/library/nginx, with * for any characters", "[A-Za-z0-9._:/*-]+"), "The repositories it is about; the first rule that an image falls under counts.", null),
            new("key", DefinitionShapes.File, "The public key (PEM, ECDSA P-256, as `cosign.pub`) whose signature they must carry. Without, that of the release is enough.", ""),
        ],
        bag => bag);

    /// <summary>The list.</summary>
    public static readonly ListShape<Bag> Shape = new(Rule, "a list of rules", 100);

    /// <summary>The rules of a definition, with their keys.</summary>
    /// <param name="bag">The mapping that has the list.</param>
    /// <param name="find">The absolute path of a file that the definition names.</param>
    /// <exception cref="UserError">A key cannot be used.</exception>
    public static IReadOnlyList<SignatureRule> Read(Bag bag, Func<string, Func<string, UserError>, string> find) => [.. bag.List<Bag>(Key).Select(rule =>
    {
        UserError AtKey(string problem) => rule.Error("key", problem);
        if (rule.Get<string?>("key", null) is not { } named) return new SignatureRule { Images = rule.Get<string>("images") };
        var pem = Encoding.UTF8.GetString(NamedFile.Read(find(named, AtKey), LargestKey, "a public key", AtKey));
        try
        {
            return new SignatureRule { Images = rule.Get<string>("images"), Key = SignatureRule.ReadKey(pem) };
        }
        catch (InvalidDataException e)
        {
            throw AtKey($"{named} is no public key of the kind that cosign makes: {e.Message}");
        }
    })];
}
