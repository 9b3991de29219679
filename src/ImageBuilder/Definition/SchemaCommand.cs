using System.CommandLine;

namespace Appliance.ImageBuilder.Definition;

/// <summary>The verb <c>appliance schema</c>.</summary>
internal static class SchemaCommand
{
    /// <summary>Makes the command.</summary>
    public static Command Create()
    {
        var workload = new Option<bool>("--workload") { Description = "Of a workload's workload.yaml instead." };
        var markdown = new Option<bool>("--markdown") { Description = "The reference table of the docs instead." };
        var command = new Command("schema", """
            Prints the JSON Schema of image definitions, or of workloads, for editors.

            Examples:
              appliance schema > image/appliance.schema.json
              appliance schema --workload > image/workload.schema.json
            """)
        { workload, markdown };
        command.SetAction(result =>
        {
            var reference = result.GetValue(workload) ? DefinitionReference.Workload : DefinitionReference.Image;
            Console.Write(result.GetValue(markdown) ? reference.Markdown() : reference.JsonSchema());
        });
        return command;
    }
}
