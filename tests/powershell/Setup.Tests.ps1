# Whole runs of the setup scripts on the simulated Windows, judged by its state before and after. The names of the
# tests begin with the ids of the faults that they guard against.

BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'Windows.psm1') -Global -Force -DisableNameChecking
    $script:Key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0m0V2s6bQ3vX1m8m7yRk9b0kqQ3q3m0f3r8m9b0kqQ kim@master'
    $script:Worker = @{ MasterIP = '192.168.1.100'; ClusterIPs = '192.168.1.102'; PublicKey = $Key }

    function Start-Machine([scriptblock]$Change = {}) {
        $folder = Join-Path ([string](Microsoft.PowerShell.Management\Get-Item TestDrive:\).FullName) ([guid]::NewGuid().ToString('N'))
        [IO.Directory]::CreateDirectory($folder) | Out-Null
        New-Windows -Folder $folder -Change $Change
        # The folder of the key file is there, as on a machine whose sshd ran once: Windows never removes it.
        Get-SimSnapshot
    }

    function Assert-Undone($Before) {
        $run = Invoke-Setup -With @{ Undo = $true }
        $run.thrown | Should -BeNullOrEmpty -Because $run.text
        $run.exposed | Should -BeNullOrEmpty
        Assert-Same $Before
    }

    function Assert-Same($Before) {
        $after = Get-SimSnapshot
        (Compare-Object $Before $after | ForEach-Object { "$($_.SideIndicator) $($_.InputObject)" }) -join "`n" | Should -BeNullOrEmpty
    }

    function Get-Yaml($Run) {
        ($Run.text -split "`n" | ForEach-Object { $_.TrimEnd() } | Where-Object { $_ -match '^(  - |    )(name|user|address|port|python):' }) -join "`n"
    }
}

Describe 'a clean machine' -Tag 'full' {
    It 'is set up, is the same after a second run, and is as before after -Undo' -Tag 'ci' {
        $before = Start-Machine
        $run = Invoke-Setup -With $Worker
        $run.status | Should -Be 0 -Because $run.text
        $run.exposed | Should -BeNullOrEmpty
        $run.open | Should -BeNullOrEmpty
        $run.text | Should -Not -Match 'FAIL'
        $Windows.state.rules['dtui-ssh'].RemoteAddress | Should -Be @('192.168.1.100', '192.168.1.102')
        $Windows.state.services.sshd.status | Should -Be 'Running'
        $Windows.state.listeners['HTTPS *'].port | Should -Be 5986
        $journal = [IO.File]::ReadAllText("$env:ProgramData/dtui/worker_setup.journal.jsonl")
        (Invoke-Setup -With $Worker -AsFile).status | Should -Be 0
        [IO.File]::ReadAllText("$env:ProgramData/dtui/worker_setup.journal.jsonl") | Should -Be $journal
        Assert-Undone $before
        (Invoke-Setup -With @{ Undo = $true }).text | Should -Match 'Nothing was changed'
        Assert-Same $before
    }
    It 'PS30: is not changed by -WhatIf, which shows no red line' {
        $before = Start-Machine
        $run = Invoke-Setup -With ($Worker + @{ WhatIf = $true })
        $run.thrown | Should -BeNullOrEmpty
        $run.text | Should -Not -Match 'FAIL'
        Assert-Same $before
        @($run.calls -match '^change') | Should -BeNullOrEmpty
    }
}

Describe 'a run that fails' -Tag 'full' {
    It 'PS1, PS2: leaves nothing open, ends well the next time and is undone exactly (<name> <when>, -File <file>)' -Tag 'ci' -ForEach @(
        @{ name = 'Add-WindowsCapability'; when = 'after'; file = $true }
        @{ name = 'Enable-PSRemoting'; when = 'after'; file = $false }
        @{ name = 'New-WSManInstance'; when = 'before'; file = $true }
    ) {
        $before = Start-Machine
        $Windows.fail = @{ name = "^$name$"; when = $when }
        $run = Invoke-Setup -With $Worker -AsFile:$file
        $run.status | Should -Not -Be 0
        $run.text + $run.thrown | Should -Match 'injected'
        $run.open | Should -BeNullOrEmpty
        $run.exposed | Should -BeNullOrEmpty
        $Windows.fail = $null
        (Invoke-Setup -With $Worker -AsFile:$file).status | Should -Be 0
        Assert-Undone $before
    }
    It 'PS1, PS2: stops what it started when a rule for everybody can not be switched off' {
        $before = Start-Machine
        $Windows.fail = @{ name = '^Disable-NetFirewallRule$'; when = 'before' }
        $run = Invoke-Setup -With $Worker
        $run.status | Should -Not -Be 0
        $run.open | Should -BeNullOrEmpty
        $Windows.fail = $null
        Assert-Undone $before
    }
    It 'PS3: changes nothing while the rules can not be read' -Tag 'ci' {
        $before = Start-Machine
        $Windows.fail = @{ name = '^Get-NetFirewallRule$'; when = 'before' }
        $run = Invoke-Setup -With $Worker
        $run.status | Should -Not -Be 0
        Assert-Same $before
    }
    It 'names the step that failed, what was done before, and what to do' {
        $null = Start-Machine
        $Windows.fail = @{ name = '^Disable-NetFirewallRule$'; when = 'before' }
        (Invoke-Setup -With $Worker).thrown | Should -Match "^The step 'Remote access' failed: .+Changed before: .+dtui-ssh.+run this again.+-Undo"
        $null = Start-Machine
        $Windows.fail = @{ name = '^Get-Service$'; when = 'before' }
        (Invoke-Setup -With $Worker).thrown | Should -Match 'injected'
    }
    It 'a member of a domain keeps its policy for local accounts, and -Undo is exact' {
        $before = Start-Machine { $Windows.domain = $true; $Windows.facts.Account = 'CORP\kim' }
        $run = Invoke-Setup -With $Worker
        $run.status | Should -Be 0
        $run.exposed | Should -BeNullOrEmpty
        $Windows.state.registry['HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System'].Keys | Should -Be @('EnableLUA')
        Assert-Undone $before
    }
    It 'PS15: names <text>, and sets the other transport up' -ForEach @(
        @{ fault = 'install'; code = '0x800f0954'; text = 'WSUS' }
        @{ fault = 'look'; code = '0x800f0954'; text = 'WSUS' }
        @{ fault = 'restart'; code = '1'; text = 'restart' }
        @{ fault = 'start sshd'; code = '1'; text = 'sshd.exe -t' }
    ) {
        $before = Start-Machine { $Windows.faults[$fault] = $code }
        $run = Invoke-Setup -With $Worker
        $run.status | Should -Be 1
        $run.text | Should -Match $text
        $run.text | Should -Match '- name: ''gpu-pc'''
        $run.open | Should -BeNullOrEmpty
        $Windows.state.services.WinRM.status | Should -Be 'Running'
        $Windows.state.listeners['HTTPS *'].port | Should -Be 5986
        $Windows.faults.Clear()
        Assert-Undone $before
    }
}

Describe 'what was there before' -Tag 'full' {
    It 'PS4: endpoints of the user''s own come back as they were' -Tag 'ci' {
        $before = Start-Machine { $Windows.state.endpoints['JEA'] = 'O:NSG:BAD:P(A;;GA;;;BA)' }
        (Invoke-Setup -With $Worker).status | Should -Be 0
        Assert-Undone $before
    }
    It 'PS4: remoting over HTTPS only is taken as it is' {
        $before = Start-Machine {
            $Windows.state.services.WinRM = @{ start = 'Automatic'; status = 'Running' }
            $Windows.state.endpoints['microsoft.powershell'] = 'O:NSG:BAD:P(A;;GA;;;BA)'
            $Windows.state.certificates['CC01'] = @{ name = 'theirs'; until = (Get-Date).AddYears(1) }
            $Windows.state.listeners['HTTPS *'] = @{ address = '*'; transport = 'HTTPS'; port = 5986; hostname = 'x'; thumbprint = 'CC01' }
        }
        $run = Invoke-Setup -With ($Worker + @{ Transport = 'winrm' })
        $run.status | Should -Be 0 -Because $run.text
        $Windows.state.listeners.Keys | Should -Be @('HTTPS *')
        Assert-Undone $before
    }
    It 'PS9: a rule for everybody is found by what it says (<name>), and Undo brings it back' -Tag 'ci' -ForEach @(
        @{ name = 'OpenSSH SSH Server Preview (sshd)'; ports = '22'; from = 'Any' }
        @{ name = 'mine'; ports = @('443', '5985-5986'); from = 'LocalSubnet' }
    ) {
        $before = Start-Machine { Add-SimRule -Name $name -Ports $ports -From $from }
        $run = Invoke-Setup -With $Worker
        $run.status | Should -Be 0 -Because $run.text
        Get-SimOpen | Should -BeNullOrEmpty
        Assert-Undone $before
    }
    It 'PS9: a rule that opens every port, or comes from a policy, is red' -ForEach @(
        @{ rule = @{ Name = 'all'; Ports = 'Any' } }, @{ rule = @{ Name = 'gpo'; Ports = '22'; Source = 'GPO' } }
    ) {
        $null = Start-Machine { Add-SimRule @rule }
        $run = Invoke-Setup -With $Worker
        $run.status | Should -Be 1
        $run.text | Should -Match "FAIL\] the rule $($rule.Name) "
    }
    It 'PS10: a rule that the user narrowed stays on' -Tag 'ci' {
        $null = Start-Machine { $Windows.state.rules['WINRM-HTTP-In-TCP-NoScope'].RemoteAddress = @('10.0.0.5'); $Windows.state.rules['WINRM-HTTP-In-TCP-NoScope'].Enabled = 'True' }
        $run = Invoke-Setup -With $Worker
        $run.status | Should -Be 0
        $Windows.state.rules['WINRM-HTTP-In-TCP-NoScope'].Enabled | Should -Be 'True'
        $run.text | Should -Not -Match 'lets in'
    }
    It 'PS17: names in TrustedHosts stay, and those added later too' {
        $null = Start-Machine { $Windows.state.trusted = 'server1,10.0.0.5' }
        (Invoke-Setup -With $Worker).status | Should -Be 0
        $Windows.state.trusted | Should -Be 'server1,10.0.0.5,192.168.1.100'
        $Windows.state.trusted += ',later'
        (Invoke-Setup -With $Worker).status | Should -Be 0
        (Invoke-Setup -With @{ Undo = $true }).thrown | Should -BeNullOrEmpty
        $Windows.state.trusted | Should -Be 'server1,10.0.0.5,later'
    }
    It 'PS17: a policy on TrustedHosts is a note, and Undo ends well' {
        $before = Start-Machine { $Windows.faults['trusted'] = $true }
        $run = Invoke-Setup -With $Worker
        $run.status | Should -Be 0 -Because $run.text
        $run.text | Should -Match 'note: TrustedHosts'
        Assert-Undone $before
    }
    It 'PS22: bytes of a key file of any encoding come back' {
        $before = Start-Machine {
            $folder = [IO.Directory]::CreateDirectory("$env:ProgramData/ssh").FullName
            [IO.File]::WriteAllBytes("$folder/administrators_authorized_keys", [byte[]](115, 115, 104, 32, 65, 32, 185, 228, 10, 35))
            $Windows.state.acls["$folder/administrators_authorized_keys"] = 'O:S-1-5-21-1-2-3-1001G:BAD:P(A;;FA;;;BA)(A;;FA;;;SY)'
        }
        (Invoke-Setup -With $Worker).status | Should -Be 0
        $Windows.state.acls["$env:ProgramData/ssh/administrators_authorized_keys"] | Should -Match '^O:BA'
        Assert-Undone $before
    }
    It 'PS24: seconds and plan of power settings come back' {
        $before = Start-Machine { $Windows.state.plans[$Windows.state.plan].STANDBYIDLE = 20; $Windows.state.plans.Remove('8c5e7fda-e8bf-4a96-9a85-a6e23a8c635c') }
        (Invoke-Setup -With $Worker).status | Should -Be 0
        $Windows.state.plans[$Windows.state.plan].STANDBYIDLE | Should -Be 0
        Assert-Undone $before
    }
}

Describe 'the firewall' -Tag 'full' {
    It 'PS11: off, with everything let in, or without its service: nothing is changed' -ForEach @(
        @{ change = { $Windows.state.networks.Private.Enabled = 'False' } }
        @{ change = { $Windows.state.networks.Public.DefaultInboundAction = 'Allow' } }
        @{ change = { $Windows.state.services.MpsSvc.status = 'Stopped' } }
    ) {
        $before = Start-Machine $change
        (Invoke-Setup -With $Worker).status | Should -Not -Be 0
        Assert-Same $before
    }
    It 'PS11, F14, F35: <why> is red or mended' -ForEach @(
        @{ why = 'a policy against local rules'; red = $true; change = { $Windows.state.networks.Public.AllowLocalFirewallRules = 'False' } }
        @{ why = 'a block rule for 22'; red = $true; change = { Add-SimRule -Name 'no' -Ports '22' -Action 'Block' } }
        @{ why = 'a block rule for Python'; red = $true; change = { Add-SimRule -Name 'py' -Action 'Block' -Program 'C:\Python312\python.exe' } }
        @{ why = 'a block rule for another program'; red = $false; change = { Add-SimRule -Name 'py' -Action 'Block' -Program 'C:\game.exe' } }
        @{ why = 'our rule turned to Outbound'; red = $false; change = { Add-SimRule -Name 'dtui-winrm' -Ports '5985-5986' -From @('192.168.1.100', '192.168.1.102') -Direction 'Outbound'; $Windows.state.rules['dtui-winrm'].Group = 'dtui' } }
    ) {
        $before = Start-Machine $change
        $run = Invoke-Setup -With $Worker
        $run.status | Should -Be ([int]$red) -Because $run.text
        $Windows.state.rules['dtui-winrm'].Direction | Should -Be 'Inbound'
        Assert-Undone $before
    }
    It 'PS31, F24: ports of the system''s choice are read: <first> and <count> in <language>' -ForEach @(
        @{ language = 'English'; first = 50000; count = 255; ports = '50000-50254' }
        @{ language = 'Korean'; first = 1024; count = 13977; ports = '1024-15000' }
        @{ language = 'German'; first = 49152; count = 16384; ports = '49152-65535' }
    ) {
        $null = Start-Machine { $Windows.language = $language; $Windows.dynamic = @($first, $count) }
        (Invoke-Setup -Script 'master' -With @{ WorkerIPs = '192.168.1.101' }).status | Should -Be 0
        $Windows.state.rules['dtui-master-ranks'].LocalPort | Should -Be $ports
    }
}

Describe '-Undo' -Tag 'full' {
    It 'PS5, PS6: succeeds when <what> by hand' -ForEach @(
        @{ what = 'WinRM was stopped'; hand = { $Windows.state.services.WinRM.status = 'Stopped' } }
        @{ what = 'WinRM was disabled'; hand = { $Windows.state.services.WinRM = @{ start = 'Disabled'; status = 'Stopped' } } }
        @{ what = 'the listener was removed'; hand = { $Windows.state.listeners.Remove('HTTPS *') } }
        @{ what = 'OpenSSH was removed'; hand = { $Windows.state.capability = 'NotPresent'; $Windows.state.services.Remove('sshd'); $Windows.state.rules.Remove('OpenSSH-Server-In-TCP') } }
        @{ what = 'rules were removed'; hand = { $Windows.state.rules.Remove('dtui-ssh'); $Windows.state.rules.Remove('dtui-ranks') } }
    ) {
        $before = Start-Machine
        (Invoke-Setup -With $Worker).status | Should -Be 0
        & $hand
        Assert-Undone $before
    }
    It 'PS5, PS12: that failed at <name> succeeds the next time, and says nothing that it did not do' -ForEach @(
        @{ name = 'Remove-WSManInstance' }, @{ name = 'Remove-ItemProperty' }, @{ name = 'Stop-Service' }, @{ name = 'Set-Item' }, @{ name = 'Remove-NetFirewallRule' }
    ) {
        $before = Start-Machine
        (Invoke-Setup -With $Worker).status | Should -Be 0
        $Windows.fail = @{ name = "^$name$"; when = 'before' }
        $run = Invoke-Setup -With @{ Undo = $true }
        $run.thrown | Should -Match 'could not be put back'
        $run.text | Should -Match 'FAIL'
        $Windows.fail = $null
        Assert-Undone $before
    }
    It 'PS7, F4: puts the rest back when a line of the journal is spoilt, and keeps that line' -Tag 'ci' -ForEach @(
        @{ bad = '{"time":"x","kind":"Regi' }, @{ bad = [string][char]0 * 64 }, @{ bad = '[]' }, @{ bad = '{"kind":"RuleState","target":"x"}' }
    ) {
        $before = Start-Machine
        (Invoke-Setup -With $Worker).status | Should -Be 0
        $path = "$env:ProgramData/dtui/worker_setup.journal.jsonl"
        [IO.File]::AppendAllText($path, $bad)
        $run = Invoke-Setup -With @{ Undo = $true }
        $run.thrown | Should -Match "can't be read"
        [IO.File]::ReadAllText($path).Trim() | Should -Be $bad
        Microsoft.PowerShell.Management\Remove-Item -LiteralPath "$env:ProgramData/dtui" -Recurse -Force
        Compare-Object ($before -notmatch '^file') ((Get-SimSnapshot) -notmatch '^file') | Should -BeNullOrEmpty
    }
    It 'F4: a line after one that was cut off is a line of its own' {
        $null = Start-Machine
        (Invoke-Setup -With $Worker).status | Should -Be 0
        $path = "$env:ProgramData/dtui/worker_setup.journal.jsonl"
        [IO.File]::AppendAllText($path, '{"kind":"Reg')
        $Windows.state.rules.Remove('dtui-ping')
        (Invoke-Setup -With $Worker).status | Should -Be 0
        [IO.File]::ReadAllLines($path)[-1] | Should -Match '"target":"dtui-ping"'
    }
    It 'F26: a kind with a wildcard runs nothing' {
        $null = Start-Machine
        (Invoke-Setup -With $Worker).status | Should -Be 0
        [IO.File]::AppendAllText("$env:ProgramData/dtui/worker_setup.journal.jsonl", '{"kind":"T*","target":"x","old":"evil"}')
        $run = Invoke-Setup -With @{ Undo = $true }
        $run.text | Should -Match 'has the kind T\*'
        $Windows.state.trusted | Should -Be ''
    }
    It 'PS8: of one role leaves the other''s rules, whichever came first' -Tag 'ci' -ForEach @(@{ first = 'worker'; second = 'master' }, @{ first = 'master'; second = 'worker' }) {
        $before = Start-Machine
        $with = @{ worker = $Worker; master = @{ WorkerIPs = @('192.168.1.101', '192.168.1.103') } }
        (Invoke-Setup -Script $first -With $with[$first]).status | Should -Be 0
        $own = @($Windows.state.rules.Keys | Where-Object { $Windows.state.rules[$_].Group -eq 'dtui' })
        (Invoke-Setup -Script $second -With $with[$second]).status | Should -Be 0
        $others = @($Windows.state.rules.Keys | Where-Object { $Windows.state.rules[$_].Group -eq 'dtui' -and $own -notcontains $_ } | Sort-Object)
        (Invoke-Setup -Script $first -With @{ Undo = $true }).thrown | Should -BeNullOrEmpty
        @($Windows.state.rules.Keys | Where-Object { $Windows.state.rules[$_].Group -eq 'dtui' } | Sort-Object) | Should -Be $others
        (Invoke-Setup -Script $second -With @{ Undo = $true }).thrown | Should -BeNullOrEmpty
        Assert-Same $before
    }
    It 'PS23: does not obey a journal that somebody else wrote' {
        $null = Start-Machine {
            $folder = [IO.Directory]::CreateDirectory("$env:ProgramData/dtui").FullName
            [IO.File]::WriteAllText("$folder/worker_setup.journal.jsonl", '{"kind":"TrustedHosts","target":"WSMan client","old":"*","new":""}')
            $Windows.state.acls["$folder/worker_setup.journal.jsonl"] = 'O:S-1-5-21-1-2-3-1009G:BAD:(A;;FA;;;BU)'
        }
        (Invoke-Setup -With @{ Undo = $true }).thrown | Should -Match 'somebody else'
        $Windows.state.trusted | Should -Be ''
        (Invoke-Setup -With $Worker).thrown | Should -Match 'somebody else'
    }
}

Describe 'the data folder' -Tag 'full' {
    It 'PS13: a root or a folder with other files is refused' -Tag 'ci' {
        $before = Start-Machine { [IO.Directory]::CreateDirectory("$env:ProgramData/full") | Out-Null; [IO.File]::WriteAllText("$env:ProgramData/full/mine.txt", 'x') }
        foreach ($folder in @('D:\', '/', "$env:ProgramData/full")) {
            (Invoke-Setup -With ($Worker + @{ DataFolder = $folder })).thrown | Should -Match 'rights would be changed'
        }
        Assert-Same $before
    }
    It 'PS14, PS33: is found again by -Undo, and gets its rights back' {
        $before = Start-Machine { [IO.Directory]::CreateDirectory("$env:ProgramData/empty") | Out-Null }
        (Invoke-Setup -With ($Worker + @{ DataFolder = "$env:ProgramData/empty" })).status | Should -Be 0
        $Windows.state.acls["$env:ProgramData/empty"] | Should -Match 'D:PAI'
        (Invoke-Setup -With $Worker).status | Should -Be 0
        Assert-Undone $before
    }
}

Describe 'inputs' -Tag 'full' {
    It 'F1, F17: <words> means two machines' -Tag 'ci' -ForEach @(
        @{ words = 'a, b'; with = @{ ClusterIPs = '192.168.1.102,' }; rest = @('192.168.1.103') }
        @{ words = '@("a", "b")'; with = @{ ClusterIPs = '@(192.168.1.102,' }; rest = @('192.168.1.103)') }
        @{ words = '"a,b"'; with = @{ ClusterIPs = '192.168.1.102,192.168.1.103' }; rest = @() }
    ) {
        $null = Start-Machine
        $run = Invoke-Setup -With (@{ MasterIP = ' 192.168.1.100 '; Transport = 'ssh' } + $with) -Words $rest
        $run.status | Should -Be 0 -Because "$($run.thrown) $($run.text)"
        $Windows.state.rules['dtui-ranks'].RemoteAddress | Should -Be @('192.168.1.100', '192.168.1.102', '192.168.1.103')
    }
    It 'F1: a word that is no address is refused' {
        $before = Start-Machine
        (Invoke-Setup -With $Worker -Words @('kim@master')).thrown | Should -Match 'double quotes'
        (Invoke-Setup -With @{ MasterIP = '192.168.1.100'; ClusterIPs = $null; PublicKey = 'ssh-ed25519' } -Words @('AAAA')).thrown | Should -Match 'double quotes|public SSH key'
        Assert-Same $before
    }
    It 'F16, PS25: <address> is refused' -ForEach (@(
            '010.0.0.1', '192.168.010.001', '127.0.0.1', '::1', '224.0.0.1', 'ff02::1', '[::1]', '[2001:db8::1]:5985', '::ffff:0.0.0.0', '0.0.0.1',
            '0.0.0.0', '255.255.255.255', '::', '192.168.0.0/16', '192.168.1', '1', 'node1', '*', '192.168.1.100,192.168.1.7', '192.168.1.101'
        ) | ForEach-Object { @{ address = $_ } }) {
        $before = Start-Machine
        (Invoke-Setup -With @{ MasterIP = $address }).thrown | Should -Not -BeNullOrEmpty
        Assert-Same $before
    }
    It 'F27: one address in two spellings is one, and a second run changes nothing' {
        $null = Start-Machine
        $with = @{ WorkerIPs = 'FD00:0:0::0100,fd00::100' }
        (Invoke-Setup -Script 'master' -With $with).status | Should -Be 0
        $Windows.state.rules['dtui-master-ranks'].RemoteAddress | Should -Be 'fd00::100'
        $Windows.state.rules.ContainsKey('dtui-master-ping6') | Should -BeTrue
        @((Invoke-Setup -Script 'master' -With $with).calls -match '^change') | Should -BeNullOrEmpty
    }
    It 'asks for the master where a person can answer' {
        $null = Start-Machine { $Windows.answers = @('192.168.1.100') }
        $run = Invoke-Setup -With @{ Transport = 'ssh' }
        $run.status | Should -Be 0 -Because $run.thrown
        $run.text | Should -Match 'stay closed'
        (Invoke-Setup -With @{ Transport = 'ssh' }).thrown | Should -Match '-MasterIP'
    }
    It 'F15, F29, PS27: <what> as a key is refused with its reason' -ForEach @(
        @{ what = 'the example of the guide'; key = 'ssh-ed25519 AAAA kim@master'; says = 'not a whole key' }
        @{ what = 'signs'; key = 'ssh-ed25519 ===='; says = 'not a' }
        @{ what = 'a key that is cut off'; key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0m0V2s6bQ3 kim'; says = 'not a whole key' }
        @{ what = 'another type'; key = 'ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIJ0m0V2s6bQ3vX1m8m7yRk9b0kqQ3q3m0f3r8m9b0kqQ'; says = 'not a whole key' }
        @{ what = 'no file'; key = 'C:\nothing.pub'; says = 'nor a file' }
    ) {
        $before = Start-Machine
        (Invoke-Setup -With @{ MasterIP = '192.168.1.100'; PublicKey = $key }).thrown | Should -Match $says
        Assert-Same $before
    }
}

Describe 'where it runs' -Tag 'full' {
    It 'F7, F19, PS19: <why> is refused before anything is changed' -Tag 'ci' -ForEach @(
        @{ why = 'PowerShell 7'; fact = @{ Edition = 'Core' }; says = 'System32\\WindowsPowerShell.+-MasterIP "192.168.1.100"' }
        @{ why = 'a 32-bit host'; fact = @{ Is64BitProcess = $false }; says = 'SysNative' }
        @{ why = 'constrained language'; fact = @{ LanguageMode = 'ConstrainedLanguage' }; says = 'AppLocker' }
        @{ why = 'another system'; fact = @{ System = 'Other' }; says = 'Linux' }
        @{ why = 'no administrator'; fact = @{ Elevated = $false }; says = 'administrator' }
    ) {
        $before = Start-Machine { foreach ($name in $fact.Keys) { $Windows.facts[$name] = $fact[$name] } }
        $run = Invoke-Setup -With $Worker
        $run.thrown | Should -Match $says
        $run.calls | Should -BeNullOrEmpty
        Assert-Same $before
        (Invoke-Setup -Script 'master' -With @{ WorkerIPs = '192.168.1.101' }).thrown | Should -Match ($says -replace '\.\+.+$', '')
    }
    It 'F20: a script without its folder says what is missing' -Tag 'ci' {
        $path = Join-Path ([string](Microsoft.PowerShell.Management\Get-Item TestDrive:\).FullName) 'worker_setup.ps1'
        [IO.File]::Copy((Join-Path $PSScriptRoot '../../scripts/worker_setup.ps1'), $path, $true)
        { & $path -MasterIP '192.168.1.100' } | Should -Throw -ExpectedMessage 'This script needs the folder*'
    }
    It 'F18: preferences of a profile do not switch a check off' {
        $before = Start-Machine
        $global:PSDefaultParameterValues['*:ErrorAction'] = 'SilentlyContinue'
        try {
            (Invoke-Setup -Script 'master' -With @{ WorkerIPs = 'node1' }).thrown | Should -Match 'not an address'
        } finally {
            $global:PSDefaultParameterValues.Remove('*:ErrorAction')
        }
        Assert-Same $before
    }
}

Describe 'what it prints' -Tag 'full' {
    It 'PS16, F32: the names <user> and <computer> as YAML' -Tag 'ci' -ForEach @(
        @{ user = 'GPU-PC\@kim'; computer = 'GPU-PC'; wanted = "user: '@kim'" }
        @{ user = "GPU-PC\o'neil #2"; computer = 'GPU-PC'; wanted = "user: 'o''neil #2'" }
        @{ user = 'CORP\kim'; computer = 'NO'; wanted = "user: 'CORP\kim'" }
        @{ user = 'GPU-PC\null'; computer = 'GPU-PC'; wanted = "user: 'null'" }
    ) {
        $null = Start-Machine { $env:COMPUTERNAME = $computer; $Windows.facts.Account = $user }
        $run = Invoke-Setup -With @{ MasterIP = '192.168.1.100'; Transport = 'winrm' }
        Get-Yaml $run | Should -BeLike "*$wanted*"
        Get-Yaml $run | Should -BeLike "*name: '$($computer.ToLower())'*"
    }
    It 'F6, PS28: the path of Python byte for byte, whatever else Python prints' {
        $null = Start-Machine {
            $path = 'C:\Users\김철수\python.exe'
            Set-SimPython ("welcome`ndtui=3.11=" + [BitConverter]::ToString([Text.Encoding]::UTF8.GetBytes($path)).Replace('-', '').ToLower())
        }
        Get-Yaml (Invoke-Setup -With @{ MasterIP = '192.168.1.100'; Transport = 'winrm' }) | Should -BeLike "*python: 'C:\Users\김철수\python.exe'*"
    }
    It 'PS20: a power setting or a WMI class that fails is a note' {
        $null = Start-Machine { $Windows.faults['hibernate'] = $true; $Windows.wmi.Remove('Win32_LogicalDisk'); $Windows.wmi.Remove('Win32_Processor') }
        $run = Invoke-Setup -With $Worker
        $run.status | Should -Be 0 -Because "$($run.thrown) $($run.text)"
        $run.text | Should -Match 'firmware does not support'
        $run.text | Should -Match '- name:'
    }
    It 'PS21: another port, and a configuration that does not use the key' {
        $null = Start-Machine {
            [IO.Directory]::CreateDirectory("$env:ProgramData/ssh") | Out-Null
            [IO.File]::WriteAllText("$env:ProgramData/ssh/sshd_config", "Port 2222`r`n")
            $Windows.state.registry['HKLM:\SOFTWARE\OpenSSH'] = @{ DefaultShell = 'C:\pwsh.exe' }
        }
        $run = Invoke-Setup -With $Worker
        $run.status | Should -Be 1
        $run.text | Should -Match 'key has no effect'
        $run.text | Should -Match 'C:\\pwsh.exe instead of cmd'
        Get-Yaml $run | Should -BeLike '*port: 2222*'
        $Windows.state.rules['dtui-ssh'].LocalPort | Should -Be '2222'
    }
    It 'PS18: a certificate that ends is renewed, and a changed address is told' {
        $before = Start-Machine
        (Invoke-Setup -With $Worker).status | Should -Be 0
        $Windows.state.certificates['AB0001'].until = (Get-Date).AddDays(5)
        $Windows.address = '192.168.1.150'
        $run = Invoke-Setup -With $Worker
        $run.status | Should -Be 0 -Because "$($run.thrown) $($run.text)"
        $Windows.state.listeners['HTTPS *'].thumbprint | Should -Be 'AB0002'
        Assert-Undone $before
    }
    It 'PS32: a policy that wants signatures is told' {
        $null = Start-Machine { $Windows.state.policy.MachinePolicy = 'AllSigned' }
        (Invoke-Setup -With $Worker).text | Should -Match 'AllSigned'
        $Windows.state.policy.LocalMachine | Should -Be 'Restricted'
    }
}

Describe 'programs' -Tag 'full' {
    BeforeAll {
        foreach ($part in @('say', 'native', 'machine')) { . (Join-Path $PSScriptRoot "../../scripts/setup/$part.ps1") }
    }
    It 'F13: one that is missing is an error, whatever the program before it returned' -Tag 'ci' {
        $global:LASTEXITCODE = 0
        { Invoke-Native -Program 'no-such-program.exe' } | Should -Throw -ExpectedMessage 'no-such-program.exe could not be started*'
    }
    It 'F11: the last words of one that fails are in the error' -Tag 'ci' {
        { Invoke-Native -Program '/bin/sh' -Arguments @('-c', 'echo first; echo "ERROR: why" >&2; exit 3') } | Should -Throw -ExpectedMessage '*exit code 3.*ERROR: why*'
    }
    It 'words on stderr of one that succeeds are no answer' {
        Invoke-Native -Program '/bin/sh' -Arguments @('-c', 'echo warning >&2; echo answer') | Should -Be 'answer'
    }
    It 'PS28: a Python that is too old is named, and so is the place to get one' {
        $null = Start-Machine { Set-SimPython "dtui=3.8=$([BitConverter]::ToString([Text.Encoding]::UTF8.GetBytes('C:\Python38\python.exe')).Replace('-', '').ToLower())" }
        $run = Invoke-Setup -With $Worker
        $run.status | Should -Be 1
        $run.text | Should -Match 'FAIL\] Python 3.9 or newer: .+python\.org.+C:\\Python38\\python\.exe is Python 3\.8'
    }
    It 'PS29: what nvidia-smi prints is shown' {
        $null = Start-Machine {
            $path = Join-Path $Windows.folder 'bin/nvidia-smi.exe'
            [IO.File]::WriteAllText($path, "#!/bin/sh`necho 'No devices were found'`n")
            [IO.File]::SetUnixFileMode($path, [IO.UnixFileMode]'UserRead, UserWrite, UserExecute')
        }
        $run = Invoke-Setup -With $Worker
        $run.status | Should -Be 0
        $run.text | Should -Match 'nvidia-smi reports: No devices were found'
    }
    It 'PS26: a relative folder is the prompt''s' {
        $before = Start-Machine
        Push-Location $env:ProgramData
        try {
            (Invoke-Setup -Script 'master' -With @{ WorkerIPs = '192.168.1.101'; DataFolder = './data' }).status | Should -Be 0
            [IO.File]::Exists("$env:ProgramData/data/master_setup.journal.jsonl") | Should -BeTrue
        } finally {
            Pop-Location
        }
        (Invoke-Setup -Script 'master' -With @{ Undo = $true }).thrown | Should -BeNullOrEmpty
        Assert-Same $before
    }
    It 'PS34: the master''s red line says what to do' {
        $null = Start-Machine { $Windows.state.networks.Public.AllowLocalFirewallRules = 'False' }
        $run = Invoke-Setup -Script 'master' -With @{ WorkerIPs = '192.168.1.101' }
        $run.status | Should -Be 1
        $run.text | Should -Match 'administrator for rules'
        $run.text | Should -Match 'run this again'
    }
    It 'PS12: Undo of a value that can not be removed is no success' {
        $null = Start-Machine
        (Invoke-Setup -With $Worker).status | Should -Be 0
        $Windows.fail = @{ name = '^Remove-ItemProperty$'; when = 'before' }
        $run = Invoke-Setup -With @{ Undo = $true }
        $run.text | Should -Not -Match 'OK \] put back: PowerShell Remoting'
    }
}
