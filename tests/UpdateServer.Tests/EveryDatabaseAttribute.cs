using System.Reflection;
using Xunit.Sdk;
using Xunit.v3;

namespace UpdateServer.Tests;

/// <summary>Runs a test with every database.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class EveryDatabaseAttribute : DataAttribute
{
    public override ValueTask<IReadOnlyCollection<ITheoryDataRow>> GetData(MethodInfo testMethod, DisposalTracker disposalTracker) =>
        new([.. Enum.GetValues<DatabaseKind>().Select(kind => new TheoryDataRow<DatabaseKind>(kind))]);

    public override bool SupportsDiscoveryEnumeration() => true;
}
