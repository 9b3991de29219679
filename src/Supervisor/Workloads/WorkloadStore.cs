using System.Text.Json;
using Appliance.Core;
using Appliance.Core.Workloads;

namespace Appliance.Supervisor.Workloads;

/// <summary>The releases of a workload on the disk, and what is remembered of them: <c>workload.json</c> and <c>VERSION/workload.tar</c>.</summary>
/// <param name="folder">The workload's folder.</param>
internal sealed class WorkloadStore(string folder)
{
    private const string StateName = "workload.json";
    private const int LargestState = 1 << 20;

    /// <summary>For tests: called before every change on the disk.</summary>
    public Action<string>? OnStep { get; init; }

    /// <summary>Where the payload of a version is.</summary>
    public string PayloadOf(string version) => Path.Combine(folder, version, WorkloadRelease.PayloadName);

    /// <summary>Whether there is a state: a release was applied here, or tried.</summary>
    public bool Exists => File.Exists(Path.Combine(folder, StateName));

    /// <summary>Reads the state; an empty one when there is none yet.</summary>
    /// <exception cref="InvalidDataException">There is one and it cannot be used.</exception>
    public WorkloadState Read()
    {
        var state = RecordFile.TryRead(Path.Combine(folder, StateName), WorkloadStateJson.Default.WorkloadState, LargestState) ?? new WorkloadState();
        return state.Format == WorkloadState.CurrentFormat ? state : throw new InvalidDataException($"{Path.Combine(folder, StateName)} has format {state.Format}, which a newer program wrote");
    }

    /// <summary>Writes the state; it is on the disk when this returns.</summary>
    public void Write(WorkloadState state)
    {
        OnStep?.Invoke("write the state");
        Directory.CreateDirectory(folder);
        DurableFile.Write(Path.Combine(folder, StateName), JsonSerializer.SerializeToUtf8Bytes(state, WorkloadStateJson.Default.WorkloadState));
    }

    /// <summary>Reads the release document of a version's payload, which was verified when it came.</summary>
    /// <exception cref="UserError">The payload is missing or damaged.</exception>
    public async Task<WorkloadRelease> ReadReleaseAsync(string version, CancellationToken cancellationToken)
    {
        var path = PayloadOf(version);
        try
        {
            await using var file = File.OpenRead(path);
            var release = await WorkloadArchiveReader.ReadReleaseAsync(file, cancellationToken);
            return release.Version == version ? release : throw new InvalidDataException($"it is version {release.Version}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            throw new UserError($"The release {path} cannot be read: {e.Message}", "Apply it again from its bundle or repository.", e);
        }
    }

    /// <summary>Whether the payload of a release is here, and no other of its version.</summary>
    public async Task<bool> HoldsAsync(WorkloadRelease release, CancellationToken cancellationToken)
    {
        try
        {
            return MarkOf(await ReadReleaseAsync(release.Version, cancellationToken), "") == MarkOf(release, "");
        }
        catch (UserError)
        {
            return false;
        }
    }

    /// <summary>Names the content of a release, whose document has all of it by hashes, and the engine that it is applied by.</summary>
    public static string MarkOf(WorkloadRelease release, string engine) => $"{engine} {OciDigest.Of(JsonSerializer.SerializeToUtf8Bytes(release, WorkloadJson.Default.WorkloadRelease))}";

    /// <summary>Gives a payload its place; its content is on the disk already.</summary>
    /// <param name="payload">The file; it is moved.</param>
    /// <param name="version">Its version.</param>
    public void Put(string payload, string version)
    {
        OnStep?.Invoke("put a payload");
        var place = PayloadOf(version);
        Directory.CreateDirectory(Path.GetDirectoryName(place)!);
        File.Move(payload, place, overwrite: true);
        DurableFile.SyncFolder(Path.GetDirectoryName(place)!);
        DurableFile.SyncFolder(folder);
    }

    /// <summary>Versions whose payload is here.</summary>
    public IReadOnlyList<string> Versions => Directory.Exists(folder) ? [.. Directory.EnumerateDirectories(folder).Select(path => Path.GetFileName(path)!).Where(name => name[0] != '.')] : [];

    /// <summary>Names of the images of a version; none when its payload cannot be read.</summary>
    public async Task<IEnumerable<string>> ReadImagesAsync(string version, CancellationToken cancellationToken)
    {
        try
        {
            return (await ReadReleaseAsync(version, cancellationToken)).Images.Select(image => image.Pinned);
        }
        catch (UserError)
        {
            return [];
        }
    }

    /// <summary>Forgets the workload. Its state goes first: without one there is nothing to go on with.</summary>
    public void Delete()
    {
        OnStep?.Invoke("delete the state");
        DurableFile.Delete(Path.Combine(folder, StateName));
        OnStep?.Invoke("delete the folder");
        Directory.Delete(folder, recursive: true);
        DurableFile.SyncFolder(Path.GetDirectoryName(folder)!);
    }

    /// <summary>Deletes the payloads of all versions but these. What is on its way has a name that begins with a dot.</summary>
    public void KeepOnly(params IReadOnlyCollection<string?> versions)
    {
        if (!Directory.Exists(folder)) return;
        foreach (var other in Directory.EnumerateDirectories(folder).Where(path => Path.GetFileName(path) is var name && name[0] != '.' && !versions.Contains(name)))
        {
            OnStep?.Invoke("delete a payload");
            Directory.Delete(other, recursive: true);
        }
        DurableFile.SyncFolder(folder);
    }
}
