using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Appliance.ImageBuilder.Definition;

namespace Appliance.ImageBuilder.Packages;

/// <summary>The software bill of materials of an image, in CycloneDX 1.6 (ECMA-424) JSON.</summary>
internal static class SoftwareBill
{
    private static readonly JsonSerializerOptions Style = new() { WriteIndented = true };

    /// <summary>Lists every Debian package, component and the supervisor. Equal inputs give equal bytes.</summary>
    public static string Write(ImageDefinition definition, IReadOnlyList<DebianPackage> packages, IReadOnlyList<ComponentPin> components, string supervisorBinary)
    {
        var list = new JsonArray();
        foreach (var package in packages) list.Add(Debian(package, definition.Suite));
        foreach (var component in components) list.Add(Component(component));
        list.Add(new JsonObject
        {
            ["type"] = "application",
            ["bom-ref"] = "appliance-supervisor",
            ["name"] = "appliance-supervisor",
            ["version"] = definition.Version,
            ["hashes"] = Hashes(Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(supervisorBinary)))),
        });

        var image = $"{definition.Id}@{definition.Version}";
        var serial = new Guid(SHA256.HashData(Encoding.UTF8.GetBytes(image + list.ToJsonString())).AsSpan(0, 16));
        return new JsonObject
        {
            ["$schema"] = "http://cyclonedx.org/schema/bom-1.6.schema.json",
            ["bomFormat"] = "CycloneDX",
            ["specVersion"] = "1.6",
            ["serialNumber"] = $"urn:uuid:{serial}",
            ["version"] = 1,
            ["metadata"] = new JsonObject
            {
                ["timestamp"] = definition.SourceDate.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ssZ"),
                ["component"] = new JsonObject { ["type"] = "firmware", ["bom-ref"] = image, ["name"] = definition.Id, ["version"] = definition.Version },
            },
            ["components"] = list,
        }.ToJsonString(Style) + "\n";
    }

    private static JsonObject Debian(DebianPackage package, string suite)
    {
        // Package URL, type deb: the version is percent-encoded, the namespace is the vendor.
        var purl = $"pkg:deb/debian/{Uri.EscapeDataString(package.Name)}@{Uri.EscapeDataString(package.Version)}?arch={package.Architecture}&distro={suite}";
        return new JsonObject
        {
            ["type"] = "library",
            ["bom-ref"] = purl,
            ["name"] = package.Name,
            ["version"] = package.Version,
            ["purl"] = purl,
            ["hashes"] = Hashes(package.Sha256),
            ["properties"] = new JsonArray(new JsonObject { ["name"] = "debian:source", ["value"] = package.Source }),
        };
    }

    private static JsonObject Component(ComponentPin pin) => new()
    {
        ["type"] = "application",
        ["bom-ref"] = $"{pin.Name}@{pin.Version}",
        ["name"] = pin.Name,
        ["version"] = pin.Version,
        ["hashes"] = Hashes(pin.Sha256),
        ["externalReferences"] = new JsonArray(new JsonObject { ["type"] = "distribution", ["url"] = pin.Url.ToString() }),
    };

    private static JsonArray Hashes(string sha256) => [new JsonObject { ["alg"] = "SHA-256", ["content"] = sha256 }];
}
