using System.Text;
using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.Core.Workloads;
using Appliance.ImageBuilder.Tools;

namespace Appliance.ImageBuilder.Workloads;

/// <summary>Collects the Kubernetes objects of a workload from its files, folders and kustomizations.</summary>
internal static class ManifestFolder
{
    private const int LargestFile = 4 << 20;
    private static readonly string[] Kustomizations = ["kustomization.yaml", "kustomization.yml", "Kustomization"];
    private static readonly string[] Endings = [".yaml", ".yml", ".json"];

    /// <summary>Reads all objects, in the order of the definition and of the files' names.</summary>
    /// <param name="folder">The workload's folder.</param>
    /// <param name="paths">Files and folders in it.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="UserError">A file is missing, no manifest, or two of them describe the same object.</exception>
    public static async Task<IReadOnlyList<JsonObject>> ReadAsync(string folder, IReadOnlyList<string> paths, CancellationToken cancellationToken)
    {
        var objects = new List<JsonObject>();
        var places = new Dictionary<(string, string, string, string), string>();
        foreach (var path in paths)
            await foreach (var (name, text) in TextsAsync(folder, path, cancellationToken))
                foreach (var (manifest, line) in ManifestYaml.Read(name, text))
                    foreach (var item in Flatten(manifest, name, line)) Add(item, $"{name}:{line}");
        if (objects.Count == 0) throw new UserError($"{string.Join(", ", paths)} in {folder} hold no Kubernetes objects.", "Put the workload's manifests there: files that end with .yaml, .yml or .json.");
        if (objects.Count > WorkloadReleaseReader.MostObjects) throw new UserError($"The workload has {objects.Count} objects; {WorkloadReleaseReader.MostObjects} is the most there may be.", "Split it into several workloads.");
        return objects;

        void Add(JsonObject manifest, string place)
        {
            ObjectIdentity identity;
            try
            {
                identity = ObjectIdentity.Of(manifest);
            }
            catch (InvalidDataException e)
            {
                throw new UserError($"{place}: this is no Kubernetes object that can be applied: {e.Message}.", manifest["metadata"]?["generateName"] is null ? null : "generateName makes another object each time; give it a name.", e);
            }
            var key = (identity.Group, identity.Kind, identity.Namespace ?? "default", identity.Name);
            if (!places.TryAdd(key, place)) throw new UserError($"{place}: {identity} is described at {places[key]} already.", "Keep one of them.");
            manifest.Remove("status"); // what a cluster said of it once
            objects.Add(manifest);
        }
    }

    /// <summary>The objects of a list (<c>kind: List</c>, <c>ConfigMapList</c>), or the object itself.</summary>
    private static List<JsonObject> Flatten(JsonObject manifest, string name, int line)
    {
        if (manifest["items"] is not JsonArray items || manifest["kind"] is not JsonValue kind || !kind.TryGetValue(out string? word) || !word.EndsWith("List", StringComparison.Ordinal)) return [manifest];
        return items.Select(item => item is JsonObject value ? (JsonObject)value.DeepClone() : throw new UserError($"{name}:{line}: an item of the list is no object.")).ToList();
    }

    private static async IAsyncEnumerable<(string Name, string Text)> TextsAsync(string folder, string path, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var full = Path.Combine(folder, path);
        if (Directory.Exists(full) && Kustomizations.Any(name => File.Exists(Path.Combine(full, name))))
        {
            yield return ($"{path} (rendered)", await RenderAsync(full, cancellationToken));
            yield break;
        }
        if (!Directory.Exists(full) && !File.Exists(full)) throw new UserError($"There is no {full}.", $"Correct `manifests` in {Path.Combine(folder, WorkloadDefinition.FileName)}.");
        var files = File.Exists(full) ? [full] : Directory.EnumerateFiles(full, "*", SearchOption.AllDirectories).Where(file => Endings.Contains(Path.GetExtension(file))).Order(StringComparer.Ordinal).ToList();
        foreach (var file in files)
        {
            if (new FileInfo(file).Length > LargestFile) throw new UserError($"{file} is larger than {ByteSize.Format(LargestFile)}, too large for a manifest.");
            yield return (Path.GetRelativePath(folder, file), await File.ReadAllTextAsync(file, cancellationToken));
        }
    }

    private static async Task<string> RenderAsync(string folder, CancellationToken cancellationToken)
    {
        var output = new StringBuilder();
        try
        {
            await ToolRunner.RunAsync("kubectl", ["kustomize", folder], onOutput: line => output.Append(line).Append('\n'), cancellationToken: cancellationToken);
            return output.ToString();
        }
        catch (ToolFailure e)
        {
            throw new UserError($"The kustomization {folder} cannot be rendered: {e.Tail}", "`kubectl kustomize` shows the same; correct the files it names.", e);
        }
    }
}
