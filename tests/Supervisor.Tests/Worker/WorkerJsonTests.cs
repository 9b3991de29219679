using System.Text.Json;
using Appliance.Supervisor.Boot;
using Appliance.Supervisor.Worker;

namespace Supervisor.Tests.Worker;

public sealed class WorkerJsonTests
{
    [Fact]
    public void EveryVerb_ArrivesAsItWasSent()
    {
        foreach (var verb in Enum.GetValues<WorkerVerb>())
        {
            var sent = new WorkerRequest { Verb = verb };
            Assert.Equal(sent, JsonSerializer.Deserialize(JsonSerializer.Serialize(sent, WorkerJson.Default.WorkerRequest), WorkerJson.Default.WorkerRequest));
        }
    }

    [Fact]
    public void EverySlotState_ArrivesAsItWasSent()
    {
        var sent = Enum.GetValues<SlotState>().Select(state => new SlotStatus { Name = "a", State = state, Running = false }).ToList();
        var arrived = JsonSerializer.Deserialize(JsonSerializer.Serialize(new WorkerReply { Result = new WorkerResult { Slots = sent } }, WorkerJson.Default.WorkerReply), WorkerJson.Default.WorkerReply);
        Assert.Equal(sent, arrived!.Result!.Slots!);
    }
}
