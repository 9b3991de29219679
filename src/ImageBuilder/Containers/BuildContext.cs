using System.Formats.Tar;
using Appliance.Core;
using Appliance.ImageBuilder.Build;
using Appliance.ImageBuilder.Definition;

namespace Appliance.ImageBuilder.Containers;

/// <summary>
/// Everything of this machine that a build in a container reads, sent as one archive (an engine may be in a virtual machine or
/// on another host, where nothing can be bound): the clone, the folder of the definition, this program, files given by hand.
/// </summary>
internal sealed class BuildContext
{
    /// <summary>Where results and caches are in the container: the volume.</summary>
    public const string State = "/work/state";

    private const string Product = "/work/product", Own = "/work/context", Library = "/work/image", Files = "/work/files", Program = $"{Product}/out/bin";
    private const string Certificates = "/etc/ssl/certs/ca-certificates.crt";
    private const UnixFileMode Readable = (UnixFileMode)0b110_100_100, Executable = (UnixFileMode)0b111_101_101;

    // Of the clone, no build reads these.
    private static readonly string[] NotNeeded = ["out", "tests", "bench", "docs", ".ci"];
    private static readonly string[] UsualCertificates = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"];

    private readonly List<(string Here, string There, string[] Excluded)> _trees = [];
    private readonly List<(string Here, string There, UnixFileMode Mode)> _files = [];

    private BuildContext(ImageDefinition definition) => Definition = definition;

    /// <summary>The definition, read here so that its mistakes are found before anything is sent.</summary>
    public ImageDefinition Definition { get; }

    /// <summary>Which path here is which there.</summary>
    public FolderMap Folders { get; } = new();

    /// <summary>The program in the container.</summary>
    public static string ProgramFile => $"{Program}/appliance.dll";

    /// <summary>The path in the container of each component given by hand.</summary>
    public Dictionary<string, string> Components { get; } = [];

    /// <summary>The path in the container of the supervisor given by hand, or null.</summary>
    public string? Supervisor { get; private set; }

    /// <summary>True when certificates of this machine's authorities go with it.</summary>
    public bool HasCertificates => _files.Exists(file => file.There == Certificates);

    /// <summary>Finds out what a build needs.</summary>
    /// <exception cref="UserError">The definition has a mistake, or names what the container would not get.</exception>
    public static BuildContext For(ContainerBuildOptions options, Func<string, string?> variable)
    {
        var build = options.Build;
        var path = Path.GetFullPath(build.DefinitionPath);
        var library = ProductFolders.Library(path);
        var used = new List<string>();
        var context = new BuildContext(DefinitionReader.Read(path, library, options.Build.Board, used.Add));
        var project = ProductFolders.SupervisorProject(path);
        var product = project is null ? null : Path.GetFullPath(Path.Combine(Path.GetDirectoryName(project)!, "..", ".."));

        string[] results = [build.OutputFolder, build.CacheFolder];
        if (product is not null) context.AddTree(product, Product, [.. NotNeeded.Select(name => Path.Combine(product, name)), .. results]);
        var own = options.Context is { } given ? Path.GetFullPath(given) : CloneOf(path);
        if (!Directory.Exists(own)) throw new UserError($"The folder {own} does not exist.", "Correct --context.");
        if (options.Context is null && context.Folders.Find(path) is null && (own == Environment.GetFolderPath(Environment.SpecialFolder.UserProfile) || own == Path.GetPathRoot(own)))
            throw new UserError($"The container would get all of {own}, where {Path.GetFileName(path)} lies.", "Put the definition and what it uses into a folder of their own, or name the folder that the container may have: --context FOLDER");
        if (options.Context is not null || context.Folders.Find(path) is null) context.AddTree(own, Own, results);
        if (context.Folders.Find(library) is null) context.AddTree(library, Library, []);
        used.Add(path);
        if (used.Find(file => context.Folders.Find(file) is null) is { } outside)
            throw new UserError($"The container would not get {outside}: it is not in {own}.", "Name the folder that holds everything the definition uses: --context FOLDER");

        foreach (var (name, file) in build.Components) context.Components[name] = context.AddFile(file, $"The component file {name}", Readable);
        if (build.Supervisor is { } supervisor) context.Supervisor = context.AddFile(supervisor, "The supervisor binary", Executable);
        // What a proxy that looks into TLS needs; without any the container has Debian's.
        var certificates = variable("SSL_CERT_FILE") is { Length: > 0 } chosen ? chosen : UsualCertificates.FirstOrDefault(File.Exists);
        if (certificates is not null && File.Exists(certificates)) context._files.Add((certificates, Certificates, Readable));
        if (!File.Exists(Path.Combine(AppContext.BaseDirectory, "appliance.runtimeconfig.json")))
            throw new UserError("This program was published for one operating system alone, and the container needs it, too.", "Publish it as ./build.sh cli does, without --self-contained.");
        context._trees.Add((AppContext.BaseDirectory, Program, []));
        return context;
    }

    /// <summary>Writes the archive; its paths are those of the container.</summary>
    public async Task WriteAsync(Stream target, Action<long> onBytes, CancellationToken cancellationToken)
    {
        await using var writer = new TarWriter(target, TarEntryFormat.Pax, leaveOpen: true);
        long done = 0;
        foreach (var (here, there, excluded) in _trees)
            await new SourceTree(here, excluded, await GitModes.OfAsync(here, cancellationToken)).WriteAsync(writer, there[1..], bytes => onBytes(done += bytes), cancellationToken);
        foreach (var (here, there, mode) in _files)
        {
            await using var content = new CountedStream(File.OpenRead(here), bytes => onBytes(done += bytes));
            await writer.WriteEntryAsync(new PaxTarEntry(TarEntryType.RegularFile, there[1..]) { Mode = mode, DataStream = content }, cancellationToken);
        }
    }

    private void AddTree(string here, string there, string[] excluded)
    {
        Folders.Add(here, there);
        _trees.Add((here, there, excluded));
    }

    private string AddFile(string here, string what, UnixFileMode mode)
    {
        if (!File.Exists(here)) throw new UserError($"{what} does not exist: {here}");
        var there = $"{Files}/{_files.Count}/{Path.GetFileName(here)}";
        Folders.Add(here, there);
        _files.Add((here, there, mode));
        return there;
    }

    /// <summary>The clone a file is in, or its folder.</summary>
    private static string CloneOf(string path)
    {
        var folder = Path.GetDirectoryName(path)!;
        for (var parent = new DirectoryInfo(folder); parent is not null; parent = parent.Parent)
            if (Path.Exists(Path.Combine(parent.FullName, ".git"))) return parent.FullName;
        return folder;
    }
}
