namespace Appliance.Supervisor.Workloads.Kubernetes;

/// <summary>How a kind of object is addressed.</summary>
/// <param name="Path">Its place below the server: <c>apis/apps/v1</c>.</param>
/// <param name="Name">Its plural: <c>deployments</c>.</param>
/// <param name="Namespaced">Whether its objects lie in namespaces.</param>
internal sealed record ApiResource(string Path, string Name, bool Namespaced)
{
    /// <summary>Where one of its objects is, or all of them when no name is given.</summary>
    public string At(string? space, string? name) =>
        $"{Path}/{(Namespaced && space is not null ? $"namespaces/{Uri.EscapeDataString(space)}/" : "")}{Name}{(name is null ? "" : "/" + Uri.EscapeDataString(name))}";
}
