using Appliance.Supervisor.Updates;

namespace Supervisor.Tests.Updates;

/// <summary>An engine of a device that runs 1.0 and is offered 1.1.</summary>
public abstract class EngineScene : IDisposable
{
    private protected UpdateWorld World { get; } = new();
    private protected UpdateEngine Engine { get; private set; }

    protected EngineScene()
    {
        World.Boot();
        Engine = World.NewEngine();
    }

    protected static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        Engine.Dispose();
        World.Dispose();
        GC.SuppressFinalize(this);
    }

    private protected async Task<UpdateJob> StartPausedAsync(InstallRequest? request = null)
    {
        World.Pause = new(TaskCreationOptions.RunContinuationsAsynchronously);
        var job = Engine.Install(request ?? new InstallRequest());
        await World.Paused.Task.WaitAsync(Token);
        return job;
    }

    private protected async Task<UpdateJob> InstallAsync(InstallRequest request)
    {
        var job = Engine.Install(request);
        await job.Work.WaitAsync(Token);
        return job;
    }

    private protected async Task<UpdateJob> CheckAsync()
    {
        var job = Engine.Check(new InstallRequest());
        await job.Work.WaitAsync(Token);
        return job;
    }

    /// <summary>The daemon starts again.</summary>
    private protected void StartAgain()
    {
        Engine.Dispose();
        Engine = World.NewEngine();
    }

    private protected async Task GoOnAsync()
    {
        StartAgain();
        World.Pause = null;
        await Engine.ReviewBootAsync(Token);
        await Engine.FollowUpAsync(Token);
        await Engine.GoOn()!.Work.WaitAsync(Token);
    }

    /// <summary>The device restarts, and the next boot's engine has found out what that means.</summary>
    private protected async Task RestartAsync()
    {
        World.Boot();
        StartAgain();
        await Engine.ReviewBootAsync(Token);
        await Engine.FollowUpAsync(Token);
    }

    private protected async Task CommitAsync()
    {
        await InstallAsync(new InstallRequest());
        await RestartAsync();
        World.Bless();
        await Engine.CommitAsync(Token);
    }

    /// <summary>Installs a version, lets it be found unhealthy at every try, and comes back.</summary>
    private protected async Task FailAsync(string version)
    {
        World.Unhealthy.Add(version);
        await InstallAsync(new InstallRequest());
        while (World.Version != version || Engine.State.Phase == EnginePhase.Probation)
        {
            await RestartAsync();
            if (World.Version != version) return;
            Engine.NoteVerdict(World.Verdict());
            World.EndBoot();
        }
    }
}
