using System.CommandLine;

namespace Appliance.ImageBuilder.Definition;

/// <summary>The verb <c>appliance schema</c>.</summary>
internal static class SchemaCommand
{
    /// <summary>Makes the command.</summary>
    public static Command Create()
    {
        var command = new Command("schema", """
            Prints the JSON Schema of image definitions, for editors.

            Example:
              appliance schema > image/appliance.schema.json
            """);
        command.SetAction(_ => Console.Write(DefinitionReader.JsonSchema()));
        return command;
    }
}
