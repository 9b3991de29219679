using Appliance.Supervisor.Credentials;

namespace Supervisor.Tests.Credentials;

public sealed class SshHostKeyTests : IDisposable
{
    private readonly SshScene _scene = new();

    public void Dispose() => _scene.Dispose();

    /// <summary>OpenSSH's own client is the judge: it must never be told of another key than one that it knows.</summary>
    [Fact]
    public async Task AClientThatKnowsTheOldKey_LearnsTheNewOne_AndIsNotAlarmed()
    {
        var known = _scene.NewClient();
        var first = await _scene.ServedAsync();
        Assert.Equal([first], _scene.LearnedBy(known));

        await _scene.RotateAsync();
        Assert.Equal(first, await _scene.ServedAsync());
        var learned = _scene.LearnedBy(known);
        Assert.Equal(2, learned.Length);

        _scene.Time.Now += TimeSpan.FromDays(14);
        Assert.Equal(RotationStep.Idle, (await _scene.ResumeAsync()).Step);
        var second = await _scene.ServedAsync();
        Assert.NotEqual(first, second);
        Assert.Contains(second, learned);
        Assert.Equal([second], _scene.LearnedBy(known)); // the old one is forgotten
        Assert.False(Directory.Exists(_scene.Next));
        Assert.Contains("SHA256:", _scene.Credential.Read()!.Identity, StringComparison.Ordinal);
    }

    [Fact]
    public async Task InAnEmergency_TheOldKeyIsGoneAtOnce()
    {
        var first = await _scene.ServedAsync();
        await _scene.RotateAsync(isEmergency: true);
        Assert.NotEqual(first, await _scene.ServedAsync());
        Assert.False(Directory.Exists(_scene.Next));
    }
}
