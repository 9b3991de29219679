using Appliance.Core;
using Appliance.Supervisor.Fleet;
using Appliance.Supervisor.Secrets;
using Appliance.Supervisor.Worker;
using Supervisor.Tests.Fleet;

namespace Supervisor.Tests.Worker;

/// <summary>How the worker reaches the fleet's server: it is trusted by what lies in clear, and secrets are unsealed only where one is shown.</summary>
public sealed class RepositoryAccessTests : IAsyncLifetime
{
    private readonly DeviceTree _tree = new();
    private OpensslServer _server = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string FleetPath => Path.Combine(_tree.Root, "fleet.json");

    public async ValueTask InitializeAsync()
    {
        _server = await OpensslServer.StartAsync();
        await new FleetMembershipFile(FleetPath, new SystemdCreds(Path.Combine(_tree.Root, "credential.secret"))).WriteAsync(new FleetMembership { Server = _server.Address.ToString(), Trust = _server.Trust, Token = OpensslServer.DeviceToken }, Token);
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        _tree.Dispose();
    }

    [Fact]
    public async Task TheFleetsRepository_IsTrustedByWhatLiesInClear_AndNothingIsUnsealed()
    {
        var seal = new CountingSeal();
        var source = await Access(seal).OpenAsync(new WorkerRequest { Verb = WorkerVerb.Check, Source = $"{_server.Address}repository/" }, Stream.Null, Token);

        Assert.Null(await source.TryReadAsync("metadata/timestamp.json", 1 << 10, Token)); // it has none, and says so
        Assert.Contains("/repository/metadata/timestamp.json", _server.Asked);
        Assert.Equal(0, seal.Unsealed);
        await RepositoryAccess.CloseAsync(source);
    }

    [Fact]
    public async Task ABundleOfAnAssignment_IsAskedForByWhatTheDeviceIsKnownBy()
    {
        var seal = new CountingSeal();
        await Assert.ThrowsAnyAsync<Exception>(() => Access(seal).OpenAsync(new WorkerRequest { Verb = WorkerVerb.Check, Source = $"{_server.Address}default/edge.bundle" }, Stream.Null, Token));

        Assert.Contains("/default/edge.bundle", _server.Asked); // trusted, although it could not be unsealed
        Assert.Equal(1, seal.Unsealed);
    }

    private RepositoryAccess Access(ISecretSeal seal) => new(new WorkerOptions { Root = _tree.Root, UpdateFolder = Path.Combine(_tree.Root, "update"), FleetPath = FleetPath, Seal = seal }, TimeProvider.System);

    private sealed class CountingSeal : ISecretSeal
    {
        public int Unsealed { get; private set; }

        public Task<string> SealAsync(SecretName name, ReadOnlyMemory<byte> secret, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task<byte[]> UnsealAsync(SecretName name, string sealedSecret, CancellationToken cancellationToken)
        {
            Unsealed++;
            throw new UserError("the TPM is busy") { MayPass = true };
        }
    }
}
