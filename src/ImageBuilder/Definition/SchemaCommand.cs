using System.CommandLine;

namespace Appliance.ImageBuilder.Definition;

/// <summary>The verb <c>appliance schema</c>.</summary>
internal static class SchemaCommand
{
    /// <summary>Makes the command.</summary>
    public static Command Create()
    {
        var markdown = new Option<bool>("--markdown") { Description = "The reference table of the docs instead." };
        var command = new Command("schema", """
            Prints the JSON Schema of image definitions, for editors.

            Example:
              appliance schema > image/appliance.schema.json
            """)
        { markdown };
        command.SetAction(result => Console.Write(result.GetValue(markdown) ? DefinitionReference.Markdown() : DefinitionReader.JsonSchema()));
        return command;
    }
}
