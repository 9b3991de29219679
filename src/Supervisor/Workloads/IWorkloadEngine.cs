using Appliance.Core.Workloads;

namespace Appliance.Supervisor.Workloads;

/// <summary>
/// What runs the objects of releases: Kubernetes, or podman through systemd. Each of these throws
/// <see cref="EngineUnavailableException"/> while the engine does not answer.
/// </summary>
internal interface IWorkloadEngine
{
    /// <summary>Asks whether a release can be applied, and changes nothing.</summary>
    /// <exception cref="Core.UserError">It cannot; the message has every reason.</exception>
    Task CheckAsync(WorkloadRelease release, CancellationToken cancellationToken);

    /// <summary>Gives the engine the images of a release, those that it does not have.</summary>
    /// <param name="release">The release.</param>
    /// <param name="payload">Path of its payload.</param>
    /// <param name="cancellationToken">Ends the work; it may be repeated.</param>
    /// <exception cref="Core.UserError">There is no room, or the engine refuses.</exception>
    Task ImportAsync(WorkloadRelease release, string payload, CancellationToken cancellationToken);

    /// <summary>Makes the engine's objects those of a release. It may be repeated; objects of other releases stay.</summary>
    /// <param name="release">The release.</param>
    /// <param name="force">Takes over what somebody else has changed meanwhile: a release that is brought back must come back.</param>
    /// <param name="cancellationToken">Ends the work; what is applied stays applied.</param>
    /// <exception cref="Core.UserError">The engine refuses an object.</exception>
    Task ApplyAsync(WorkloadRelease release, bool force, CancellationToken cancellationToken);

    /// <summary>How far every object of a release is.</summary>
    Task<IReadOnlyList<ObjectStatus>> ReadStatusAsync(WorkloadRelease release, CancellationToken cancellationToken);

    /// <summary>Deletes the objects of a release that another one of the same workload has no longer.</summary>
    /// <param name="gone">The release whose objects go.</param>
    /// <param name="kept">The one that stays, or null.</param>
    /// <param name="cancellationToken">Ends the work; it may be repeated.</param>
    Task<PrunedObjects> PruneAsync(WorkloadRelease gone, WorkloadRelease? kept, CancellationToken cancellationToken);

    /// <summary>Deletes images that no release has any more, as far as nothing uses them.</summary>
    Task ForgetImagesAsync(IReadOnlyCollection<string> images, CancellationToken cancellationToken);

    /// <summary>The last lines that the containers of a release printed.</summary>
    /// <param name="release">The release.</param>
    /// <param name="container">One container, or null for all.</param>
    /// <param name="lines">Most lines of each.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="Core.UserError">There is no such container.</exception>
    Task<IReadOnlyList<string>> ReadLogAsync(WorkloadRelease release, string? container, int lines, CancellationToken cancellationToken);
}
