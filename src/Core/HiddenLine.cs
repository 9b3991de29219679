using System.Text;

namespace Appliance.Core;

/// <summary>A secret that a person types.</summary>
public static class HiddenLine
{
    /// <summary>Asks on the terminal's error stream, and reads a line without showing it.</summary>
    public static string Read(string question)
    {
        Console.Error.Write(question);
        var line = new StringBuilder();
        while (Console.ReadKey(intercept: true) is var key && key.Key != ConsoleKey.Enter)
        {
            if (key.Key == ConsoleKey.Backspace) line.Length = Math.Max(0, line.Length - 1);
            else if (!char.IsControl(key.KeyChar)) line.Append(key.KeyChar);
        }
        Console.Error.WriteLine();
        return line.ToString();
    }
}
