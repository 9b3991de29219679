using System.Diagnostics;
using Appliance.Core;
using Appliance.ImageBuilder.Definition;

namespace ImageBuilder.Tests.Definition;

public sealed class SchemaTests : IDisposable
{
    private readonly DefinitionFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void TheKeptSchema_IsWhatTheProgramGenerates() =>
        Assert.Equal(DefinitionReader.JsonSchema(), File.ReadAllText(Path.Combine(DefinitionFolder.Library, "appliance.schema.json")));

    [Fact]
    public void TheDocs_HoldTheGeneratedTable() =>
        Assert.Contains(DefinitionReference.Markdown(), File.ReadAllText(Path.Combine(DefinitionFolder.Library, "..", "docs", "image-definition.md")), StringComparison.Ordinal);

    /// <summary>Debian's python3-jsonschema judges the same definitions as our reader.</summary>
    [Theory]
    [InlineData("{\"id\":\"edge\",\"version\":\"1.0\",\"board\":\"vm-x86_64\"}", true)]
    [InlineData("{\"id\":\"edge\",\"version\":\"1.0\",\"board\":\"vm-x86_64\",\"sizes\":{\"slot\":\"1GiB\"},\"workloads\":{\"engine\":\"podman\"}}", true)]
    [InlineData("{\"id\":\"Edge\",\"version\":\"1.0\",\"board\":\"vm-x86_64\"}", false)]
    [InlineData("{\"id\":\"edge\",\"board\":\"vm-x86_64\"}", false)]
    [InlineData("{\"id\":\"edge\",\"version\":\"1.0\",\"board\":\"vm-x86_64\",\"colour\":1}", false)]
    [InlineData("{\"id\":\"edge\",\"version\":\"1.0\",\"board\":\"vm-x86_64\",\"sizes\":{\"slot\":\"much\"}}", false)]
    [InlineData("{\"id\":\"edge\",\"version\":\"1.0\",\"board\":\"vm-x86_64\",\"users\":[{\"groups\":[]}]}", false)]
    public void SchemaAndReader_Agree(string json, bool valid)
    {
        var path = _folder.Write(json); // JSON is YAML

        Assert.Equal(valid, Record.Exception(() => DefinitionReader.Read(path, DefinitionFolder.Library)) is not UserError);
        Assert.Equal(valid, JsonSchemaAccepts(path));
    }

    private static bool JsonSchemaAccepts(string path)
    {
        const string program = "import json,sys\nfrom jsonschema import Draft202012Validator as V\ns=json.load(open(sys.argv[1])); V.check_schema(s)\nsys.exit(0 if V(s).is_valid(json.load(open(sys.argv[2]))) else 3)";
        using var process = Process.Start("/usr/bin/python3", ["-c", program, Path.Combine(DefinitionFolder.Library, "appliance.schema.json"), path]);
        process.WaitForExit();
        Assert.Contains(process.ExitCode, new[] { 0, 3 });
        return process.ExitCode == 0;
    }
}
