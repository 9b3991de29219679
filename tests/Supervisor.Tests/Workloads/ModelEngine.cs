using Appliance.Core;
using Appliance.Core.Workloads;
using Appliance.Supervisor.Workloads;

namespace Supervisor.Tests.Workloads;

/// <summary>
/// An engine that only remembers which version of each object it has. It outlives power cuts, as an engine's own store does, and is
/// cut between any two objects.
/// </summary>
internal sealed class ModelEngine : IWorkloadEngine
{
    /// <summary>The version of each object.</summary>
    public SortedDictionary<string, string> Objects { get; } = new(StringComparer.Ordinal);

    /// <summary>Called before every change.</summary>
    public Action<string>? OnStep { get; set; }

    /// <summary>What the objects of a version come to, whatever their kind.</summary>
    public Func<string, Readiness> Readiness { get; set; } = _ => Appliance.Supervisor.Workloads.Readiness.Ready("");

    /// <summary>Versions whose check is refused.</summary>
    public HashSet<string> Refused { get; } = [];

    public Task CheckAsync(WorkloadRelease release, CancellationToken cancellationToken) =>
        Refused.Contains(release.Version) ? throw new UserError("refused") : Task.CompletedTask;

    /// <summary>Images it has, by name.</summary>
    public SortedSet<string> Images { get; } = new(StringComparer.Ordinal);

    /// <summary>Set where there is no room for images.</summary>
    public bool Full { get; set; }

    public Task ImportAsync(WorkloadRelease release, string payload, CancellationToken cancellationToken)
    {
        if (Full) throw new UserError("no room");
        Assert.True(File.Exists(payload), payload);
        foreach (var image in release.Images)
        {
            OnStep?.Invoke($"import {image.Pinned}");
            Images.Add(image.Pinned);
        }
        return Task.CompletedTask;
    }

    public Task ForgetImagesAsync(IReadOnlyCollection<string> images, CancellationToken cancellationToken)
    {
        foreach (var image in images)
        {
            OnStep?.Invoke($"forget {image}");
            Images.Remove(image);
        }
        return Task.CompletedTask;
    }

    public Task<IReadOnlyList<string>> ReadLogAsync(WorkloadRelease release, string? container, int lines, CancellationToken cancellationToken) => Task.FromResult<IReadOnlyList<string>>([$"log of {release.Version}"]);

    public Task ApplyAsync(WorkloadRelease release, bool force, CancellationToken cancellationToken)
    {
        foreach (var identity in release.Objects.Select(ObjectIdentity.Of))
        {
            OnStep?.Invoke($"apply {identity}");
            Objects[identity.ToString()] = release.Version;
        }
        return Task.CompletedTask;
    }

    public Task<IReadOnlyList<ObjectStatus>> ReadStatusAsync(WorkloadRelease release, CancellationToken cancellationToken)
    {
        OnStep?.Invoke("look");
        return Task.FromResult<IReadOnlyList<ObjectStatus>>([.. release.Objects.Select(ObjectIdentity.Of).Select(identity => new ObjectStatus(identity, Readiness(Objects.GetValueOrDefault(identity.ToString(), ""))))]);
    }

    public Task<PrunedObjects> PruneAsync(WorkloadRelease gone, WorkloadRelease? kept, CancellationToken cancellationToken)
    {
        var staying = kept?.Objects.Select(ObjectIdentity.Of).ToHashSet() ?? [];
        foreach (var identity in gone.Objects.Select(ObjectIdentity.Of).Where(identity => !staying.Contains(identity)))
        {
            OnStep?.Invoke($"delete {identity}");
            Objects.Remove(identity.ToString());
        }
        return Task.FromResult(new PrunedObjects([], []));
    }
}
