using System.Diagnostics;
using Appliance.Core;
using Appliance.ImageBuilder.Definition;
using Appliance.ImageBuilder.Workloads;

namespace ImageBuilder.Tests.Definition;

public sealed class SchemaTests : IDisposable
{
    private readonly DefinitionFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void TheKeptSchemas_AreWhatTheProgramGenerates()
    {
        Assert.Equal(DefinitionReference.Image.JsonSchema(), File.ReadAllText(Path.Combine(DefinitionFolder.Library, "appliance.schema.json")));
        Assert.Equal(DefinitionReference.Workload.JsonSchema(), File.ReadAllText(Path.Combine(DefinitionFolder.Library, "workload.schema.json")));
    }

    [Fact]
    public void TheDocs_HoldTheGeneratedTables()
    {
        Assert.Contains(DefinitionReference.Image.Markdown(), Docs("image-definition.md"), StringComparison.Ordinal);
        Assert.Contains(DefinitionReference.Workload.Markdown(), Docs("workloads.md"), StringComparison.Ordinal);
    }

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
        Assert.Equal(valid, JsonSchemaAccepts("appliance.schema.json", path));
    }

    [Theory]
    [InlineData("{\"id\":\"shop\",\"version\":\"1.0\"}", true)]
    [InlineData("{\"id\":\"shop\",\"version\":\"1.0\",\"images\":[{\"name\":\"docker.io/library/nginx:1.27\",\"archive\":\"web.tar\"}],\"signatures\":[{\"images\":\"docker.io/*\"}]}", true)]
    [InlineData("{\"id\":\"Shop\",\"version\":\"1.0\"}", false)]
    [InlineData("{\"id\":\"shop\",\"version\":\"1.0\",\"images\":[{\"name\":\"docker.io/library/nginx:1.27\"}]}", false)]
    [InlineData("{\"id\":\"shop\",\"version\":\"1.0\",\"charts\":[]}", false)]
    public void OfWorkloads_SchemaAndReader_Agree(string json, bool valid)
    {
        var path = Path.Combine(Path.GetDirectoryName(_folder.Write(json))!, WorkloadDefinition.FileName);
        File.WriteAllText(path, json);

        Assert.Equal(valid, Record.Exception(() => WorkloadDefinition.Read(Path.GetDirectoryName(path)!)) is not UserError);
        Assert.Equal(valid, JsonSchemaAccepts("workload.schema.json", path));
    }

    private static string Docs(string name) => File.ReadAllText(Path.Combine(DefinitionFolder.Library, "..", "docs", name));

    private static bool JsonSchemaAccepts(string schema, string path)
    {
        const string program = "import json,sys\nfrom jsonschema import Draft202012Validator as V\ns=json.load(open(sys.argv[1])); V.check_schema(s)\nsys.exit(0 if V(s).is_valid(json.load(open(sys.argv[2]))) else 3)";
        using var process = Process.Start("/usr/bin/python3", ["-c", program, Path.Combine(DefinitionFolder.Library, schema), path]);
        process.WaitForExit();
        Assert.Contains(process.ExitCode, new[] { 0, 3 });
        return process.ExitCode == 0;
    }
}
