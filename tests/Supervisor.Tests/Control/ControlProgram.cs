using Appliance.Supervisor.Control;

namespace Supervisor.Tests.Control;

/// <summary>appliancectl in this process, with what it writes; for tests of <see cref="TheProcess"/>.</summary>
internal static class ControlProgram
{
    public static async Task<(int Code, string Output, string Error)> RunAsync(params string[] args)
    {
        var (output, error) = (Console.Out, Console.Error);
        var (writtenOutput, writtenError) = (new StringWriter(), new StringWriter());
        Console.SetOut(writtenOutput);
        Console.SetError(writtenError);
        try
        {
            var code = await ControlCommands.RunAsync(args);
            return (code, writtenOutput.ToString(), writtenError.ToString());
        }
        finally
        {
            Console.SetOut(output);
            Console.SetError(error);
        }
    }
}
