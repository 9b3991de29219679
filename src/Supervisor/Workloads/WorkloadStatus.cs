namespace Appliance.Supervisor.Workloads;

/// <summary>A workload as the surfaces show it.</summary>
/// <param name="Id">Its id.</param>
/// <param name="State">What is remembered of it.</param>
internal sealed record WorkloadStatus(string Id, WorkloadState State)
{
    /// <summary>The version that the running image brings of it, or null.</summary>
    public string? Included { get; init; }

    /// <summary>Whether that is what is kept and was applied.</summary>
    public bool IsTheImages { get; init; }

    /// <summary>Its objects and how far they are; null where nobody asked for them, or the engine does not say.</summary>
    public IReadOnlyList<WorkloadObject>? Objects { get; init; }

    /// <summary>Why the objects are not known.</summary>
    public string? Trouble { get; init; }
}

/// <summary>An object of a workload.</summary>
/// <param name="Object">Kind, namespace and name.</param>
/// <param name="State"><c>ready</c>, <c>inProgress</c> or <c>failed</c>.</param>
/// <param name="Message">Why, in words.</param>
internal sealed record WorkloadObject(string Object, string State, string Message);

/// <summary>How the application of a release ended.</summary>
/// <param name="Workload">The workload.</param>
/// <param name="Event">What came of it.</param>
internal sealed record WorkloadOutcome(string Workload, ReleaseEvent Event);
