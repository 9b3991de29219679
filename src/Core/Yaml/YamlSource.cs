using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Appliance.Core.Yaml;

/// <summary>A YAML file being read: its document, and errors that point into it.</summary>
internal sealed class YamlSource
{
    private const int LargestFile = 1 << 20;
    private const int DeepestNesting = 32;

    private YamlSource(string path) => Path = path;

    /// <summary>Path as the person gave it, or what a text is called.</summary>
    public string Path { get; }

    /// <summary>Whether errors show nothing that stands in the file: it has secrets, and one in the wrong place is one still.</summary>
    public bool HidesValues { get; private init; }

    /// <summary>The root of the only document.</summary>
    public YamlNode Root { get; private init; } = null!;

    /// <summary>Loads a file that holds exactly one document, without aliases.</summary>
    /// <param name="path">The file.</param>
    /// <param name="expected">What the file should hold, for the error about an empty one.</param>
    /// <param name="hint">What to do when there is no such file.</param>
    /// <exception cref="UserError">Missing, unreadable, too large or not YAML.</exception>
    public static YamlSource Load(string path, string expected, string? hint = null)
    {
        try
        {
            if (Directory.Exists(path)) throw new UserError($"{path} is a folder.", hint);
            if (new FileInfo(path).Length > LargestFile) throw new UserError($"{path} is larger than {ByteSize.Format(LargestFile)}, too large to be one of ours.");
            return Of(path, File.ReadAllText(path), expected);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new UserError($"{path} does not exist.", hint, e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserError($"{path} cannot be read: {e.Message}", null, e);
        }
    }

    /// <summary>Takes a text that holds exactly one document, without aliases.</summary>
    /// <param name="name">What errors call it.</param>
    /// <param name="text">The text.</param>
    /// <param name="expected">What it should hold, for the error about an empty one.</param>
    /// <param name="hidesValues">Whether errors show nothing that stands in it.</param>
    /// <exception cref="UserError">Not YAML.</exception>
    public static YamlSource Of(string name, string text, string expected, bool hidesValues = false)
    {
        try
        {
            return new YamlSource(name) { Root = Parse(name, text, expected), HidesValues = hidesValues };
        }
        catch (YamlException e)
        {
            // The parser's words may name what it found, such as a key that is there twice.
            var detail = hidesValues ? "" : $": {e.InnerException?.Message ?? e.Message}";
            throw new UserError($"{name}:{e.Start.Line}:{e.Start.Column}: this is not valid YAML{detail}", null, hidesValues ? null : e);
        }
    }

    /// <summary>An error at a node: <c>file:line:column: key: found; expected</c>.</summary>
    public UserError Error(YamlNode node, string path, string problem) =>
        new($"{Path}:{node.Start.Line}:{node.Start.Column}: {(path.Length == 0 ? "" : path + ": ")}{problem}");

    /// <summary>The error for a value of the wrong kind or content.</summary>
    public UserError Unexpected(YamlNode node, string path, string expected) =>
        Error(node, path, HidesValues && node is YamlScalarNode { Value.Length: > 0 } ? $"expected {expected}" : $"{Describe(node)} found, expected {expected}");

    private static YamlNode Parse(string path, string text, string expected)
    {
        RefuseBombs(path, text);
        var stream = new YamlStream();
        stream.Load(new StringReader(text));
        return stream.Documents.Count switch
        {
            0 => throw new UserError($"{path}:1:1: the file is empty; expected {expected}"),
            1 => stream.Documents[0].RootNode,
            _ => throw new UserError($"{path}:{stream.Documents[1].RootNode.Start.Line}:1: a second document begins; expected only one"),
        };
    }

    /// <summary>Aliases and deep nesting have no use in a definition and are how YAML takes a reader down.</summary>
    private static void RefuseBombs(string path, string text)
    {
        var parser = new Parser(new StringReader(text));
        var depth = 0;
        while (Next(path, parser))
        {
            var current = parser.Current!;
            depth += current.NestingIncrease;
            if (current is YamlDotNet.Core.Events.AnchorAlias) throw new UserError($"{path}:{current.Start.Line}:{current.Start.Column}: aliases (*name) are not supported; write the value out");
            if (depth > DeepestNesting) throw new UserError($"{path}:{current.Start.Line}:{current.Start.Column}: nested more than {DeepestNesting} levels deep");
        }
    }

    private static bool Next(string path, Parser parser)
    {
        try
        {
            return parser.MoveNext();
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException or IndexOutOfRangeException)
        {
            // The scanner gives up on some malformed texts without a word about where: right after what it read last.
            var last = parser.Current?.End ?? Mark.Empty;
            throw new UserError($"{path}:{last.Line}:{last.Column}: this is not valid YAML: it cannot be read on from here", null, e);
        }
    }

    private static string Describe(YamlNode node) => node switch
    {
        YamlScalarNode { Value: null or "" } => "nothing",
        YamlScalarNode scalar => $"\"{Shorten(scalar.Value)}\"",
        YamlSequenceNode => "a list",
        _ => "a mapping",
    };

    private static string Shorten(string text)
    {
        var line = text.ReplaceLineEndings(" ");
        return line.Length <= 60 ? line : line[..57] + "…";
    }
}
