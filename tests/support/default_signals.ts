/**
 * Gives the programs that tests start every signal at its default, also where the tests themselves run
 * in the background of a shell script, or by nohup(1), and were started to ignore some: what has a
 * handler here has the default in a program that is started (execve(2)).
 */
for (
  const [signal, exitCode] of [["SIGHUP", 129], ["SIGINT", 130], ["SIGQUIT", 131]] as const
) {
  if (Deno.build.os !== "windows") Deno.addSignalListener(signal, () => Deno.exit(exitCode));
}
