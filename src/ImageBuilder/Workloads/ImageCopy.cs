using Appliance.ImageBuilder.Tools;

namespace Appliance.ImageBuilder.Workloads;

/// <summary>Copies images by skopeo into folders (its <c>dir</c> transport: manifest.json and one file per blob).</summary>
/// <param name="folder">Where the copies are made.</param>
/// <param name="onLine">Gets skopeo's lines.</param>
internal sealed class ImageCopy(string folder, Action<string> onLine)
{
    /// <summary>Name of an image's manifest in its folder.</summary>
    public const string ManifestName = "manifest.json";

    private const string Partial = ".partial";

    /// <summary>Makes a copy and uses it. Afterwards it goes, unless it was moved away.</summary>
    /// <param name="source">The image, with skopeo's transport in front.</param>
    /// <param name="options">Options of <c>skopeo copy</c>.</param>
    /// <param name="use">Gets the path of the copy.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="ToolFailure">skopeo cannot copy it.</exception>
    public async Task<T> UseAsync<T>(string source, IReadOnlyList<string> options, Func<string, Task<T>> use, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(folder);
        var partial = Path.Combine(folder, $"{Guid.NewGuid():N}{Partial}");
        try
        {
            await ToolRunner.RunAsync("skopeo", ["copy", .. options, source, $"dir:{partial}"], onLine: onLine, cancellationToken: cancellationToken);
            return await use(partial);
        }
        finally
        {
            if (Directory.Exists(partial)) Directory.Delete(partial, recursive: true);
        }
    }

    /// <summary>What skopeo said last, which is why it failed.</summary>
    public static string ReasonOf(ToolFailure failure) => failure.Tail.Split('\n', StringSplitOptions.RemoveEmptyEntries).LastOrDefault() ?? "skopeo gave no reason";
}
